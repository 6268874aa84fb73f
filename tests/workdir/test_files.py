"""Files are written whole, and read back exactly."""
import numpy as np
from PIL import Image
import pytest

from swae_jax.workdir import files


def test_a_file_is_replaced_as_a_whole(tmp_path):
  path = tmp_path / 'deep' / 'value.json'
  assert files.read_json(path) is None
  for value in ({'a': 1}, {'a': 2}):
    files.write_json(path, value)
  assert files.read_json(path) == {'a': 2}
  assert [p.name for p in path.parent.iterdir()] == ['value.json']


@pytest.mark.parametrize('shape', [(4, 5), (4, 5, 3)])
def test_images_come_back_exactly(tmp_path, shape):
  image = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
  path = files.save_image(tmp_path / 'a' / 'b.png', image)
  np.testing.assert_array_equal(np.asarray(Image.open(path)), image)
