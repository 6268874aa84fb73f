"""A bucket for the tests of this room."""
import bucket
import pytest

from swae_jax.workdir import lock, storage


@pytest.fixture(scope='package')
def store():
  """A bucket in this process; the clients are real."""
  pytest.importorskip('gcsfs')
  with bucket.serve() as (store, environment):
    with pytest.MonkeyPatch.context() as patch:
      for name, value in environment.items():
        patch.setenv(name, value)
      patch.setattr(lock, 'SETTLED', 0.)
      storage.path('gs://bucket')  # Sets up the client.
      yield store
