"""Eight CPU devices, and no silent broadcasting between ranks.

Tests compile the same small programs again and again, so all of a session, in
several processes, share one cache: it halves the time.
"""
import os
import shutil
import signal
import tempfile

CACHE = 'JAX_COMPILATION_CACHE_DIR'
if CACHE not in os.environ:  # The workers of pytest-xdist inherit it.
  os.environ[CACHE] = tempfile.mkdtemp(prefix='swae_jax_tests_')
  os.environ['SWAE_JAX_TESTS_OWN_CACHE'] = str(os.getpid())
# Programs that tests start keep what compiles in less than a second, too.
os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'
os.environ['JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES'] = '-1'

# No test writes into the user's own folder for caches.
os.environ['XDG_CACHE_HOME'] = tempfile.mkdtemp(prefix='swae_jax_cache_')

# A script that starts the tests in its background has them ignore SIGINT, and
# the programs that they start would do so, too.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
  signal.signal(signal.SIGINT, signal.default_int_handler)

import jax  # noqa: E402

jax.config.update('jax_platforms', 'cpu')
jax.config.update('jax_num_cpu_devices', 8)
jax.config.update('jax_numpy_rank_promotion', 'raise')


def pytest_unconfigure():
  """Removes the caches where they were made."""
  shutil.rmtree(os.environ['XDG_CACHE_HOME'], ignore_errors=True)
  if os.environ.get('SWAE_JAX_TESTS_OWN_CACHE') == str(os.getpid()):
    shutil.rmtree(os.environ[CACHE], ignore_errors=True)
