"""Files are written whole, and read back exactly."""
import numpy as np
from PIL import Image
import pytest

from swae_jax import errors
from swae_jax.workdir import files


def test_a_file_is_replaced_as_a_whole(tmp_path):
  path = tmp_path / 'deep' / 'value.json'
  assert files.read_json(path) is None
  for value in ({'a': 1}, {'a': 2}):
    files.write_json(path, value)
  assert files.read_json(path) == {'a': 2}
  assert [p.name for p in path.parent.iterdir()] == ['value.json']


def test_any_changed_byte_of_a_file_is_refused_or_harmless(tmp_path):
  path, value = tmp_path / 'value.json', {'b': [1, (2., None)], 'a': 'x'}
  files.write_json(path, value)
  content, found = path.read_bytes(), files.read_json(path)
  assert found == {'b': [1, [2., None]], 'a': 'x'}
  refused = 0
  for place in range(len(content)):
    path.write_bytes(content[:place] + bytes([content[place] ^ 1])
                     + content[place + 1:])
    try:
      assert files.read_json(path, 'a').items() >= found.items()
    except errors.DamagedData as e:
      assert str(path) in str(e) and '\n' not in str(e)
      refused += 1
  assert refused > len(content) / 2


@pytest.mark.parametrize('shape', [(4, 5), (4, 5, 3)])
def test_images_come_back_exactly(tmp_path, shape):
  image = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
  path = files.save_image(tmp_path / 'a' / 'b.png', image)
  np.testing.assert_array_equal(np.asarray(Image.open(path)), image)
