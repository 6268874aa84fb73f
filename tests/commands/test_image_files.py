import io
import zipfile

import numpy as np
from PIL import Image
import pytest
import tiny_trained

from swae_jax import errors
from swae_jax.commands import image_files

FOLDER = {'data': {'name': 'folder', 'folder': {'crop': 'centre'}}}
CELEBA = {'data': {'name': 'celeba', 'celeba': {'crop': 'close140'}}}
OTHER = {'data': {'name': 'digits', 'digits': {}}}


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('n, output', [(4, 'folder'), (1, 'one.png')])
def test_pictures_come_back_exactly(tmp_path, channels, n, output):
  shape = 8, 8, channels
  x = tiny_trained.images(n, shape)
  near = np.float32((x - .4) / 255)  # Rounded, not cut off.
  image_files.write_images(tmp_path / output, near, image_files.numbered(n))
  found, names = image_files.read_pictures(tmp_path / output, shape, None)
  np.testing.assert_array_equal(found, x)
  assert names == (
      ['one.png'] if n == 1 else [f'{i:05d}.png' for i in range(n)])


def test_red_stays_red(tmp_path):
  x = np.zeros((1, 8, 8, 3), np.float32)
  x[..., 0] = 1
  x[0, 0, 7] = [0, 0, 1]  # The corner on the right is blue.
  image_files.write_images(tmp_path / 'a.png', x, ['a'])
  with Image.open(tmp_path / 'a.png') as image:
    assert image.getpixel((0, 0)) == (255, 0, 0)
    assert image.getpixel((7, 0)) == (0, 0, 255)
  found, _ = image_files.read_pictures(tmp_path / 'a.png', (8, 8, 3), None)
  np.testing.assert_array_equal(found, 255 * x)


def test_a_zip_file_and_names_in_folders(tmp_path):
  x = tiny_trained.images(3)
  names = ['b/0.png', 'a/0.jpg', 'a.b']
  image_files.write_images(tmp_path / 'out', x / 255, names)
  with zipfile.ZipFile(tmp_path / 'out.zip', 'w') as archive:
    for path in (tmp_path / 'out').rglob('*.png'):
      archive.write(path, path.relative_to(tmp_path / 'out'))
  found, names = image_files.read_pictures(tmp_path / 'out.zip', (8, 8, 1), None)
  assert names == ['a.b.png', 'a/0.png', 'b/0.png']
  np.testing.assert_array_equal(found, x[::-1])


def test_no_name_hides_another(tmp_path):
  paths = image_files.paths(tmp_path, ['a.png', 'a.jpg', 'b'])
  assert len({path.name for path in paths}) == 3


@pytest.mark.parametrize('name', ['../a', '/etc/a', 'a/../../b'])
def test_names_do_not_lead_out_of_the_folder(tmp_path, name):
  with pytest.raises(errors.UserError, match='leads out'):
    image_files.write_images(tmp_path / 'out', np.zeros((1, 8, 8, 1)), [name])


def test_other_sizes_are_refused_or_resized_as_asked(tmp_path):
  stripes = np.zeros((8, 24, 3), np.uint8)
  stripes[:, 8:16] = [0, 255, 0]
  Image.fromarray(stripes).save(tmp_path / 'a.png')
  shape = 8, 8, 3
  read = lambda config, crop: image_files.read_pictures(
      tmp_path, shape, image_files.resizing(config, shape, crop))[0][0]
  with pytest.raises(errors.UserError, match='a.png has 24x8 .* takes 8x8'):
    read(OTHER, None)
  for x in (read(OTHER, 'centre'), read(FOLDER, None)):  # As in training.
    np.testing.assert_array_equal(x, stripes[:, 8:16])
  squeezed = read(FOLDER, 'none')
  assert squeezed[0, 0, 1] < 9 and squeezed[0, 4, 1] > 246  # It rings.
  assert read(CELEBA, None).shape == shape


@pytest.mark.parametrize('words, shape', [
    ('8x4x1', (8, 4, 1)), ('1x1x10', (1, 1, 10))])
def test_what_is_no_square_picture_comes_as_an_array(tmp_path, words, shape):
  image_files.write_images(tmp_path / 'a', np.zeros((2, 8, 8, 1)), ['a', 'b'])
  with pytest.raises(errors.UserError, match=f'{words}.*npz'):
    image_files.read_pictures(tmp_path / 'a', shape, None)


def test_a_folder_without_pictures(tmp_path):
  with pytest.raises(errors.MissingData, match='no pictures'):
    image_files.read_pictures(tmp_path, (8, 8, 1), None)


def test_arrays_come_back_with_their_names(tmp_path):
  x, names = np.random.default_rng(0).random((3, 8, 8, 1)), ['c', 'a', 'b']
  path = tmp_path / 'x.npz'
  image_files.write_images(path, x, names)
  found, found_names = image_files.read_array(path, 'images')
  np.testing.assert_array_equal(found, x)
  assert found_names == names and found.dtype == x.dtype
  image_files.write_npz(path, any=x)
  np.testing.assert_array_equal(image_files.read_array(path, 'images')[0], x)
  np.save(tmp_path / 'x.npy', x)
  found, found_names = image_files.read_array(tmp_path / 'x.npy', 'images')
  np.testing.assert_array_equal(found, x)
  assert found_names == ['00000', '00001', '00002']


@pytest.mark.parametrize('words, arrays', [
    ("'codes', or one array alone; it holds a, b", {'a': 1, 'b': 2}),
    ('holds none', {}),
    (r'\[3\] must have a row for each of 2', {'codes': [1, 2, 3],
                                           'names': ['a', 'b']}),
    (r'\[\] must have a row', {'codes': 1})])
def test_other_arrays_are_refused(tmp_path, words, arrays):
  np.savez(tmp_path / 'x.npz', **arrays)
  with pytest.raises(errors.UserError, match=words):
    image_files.read_array(tmp_path / 'x.npz', 'codes')


def pickled():
  content = io.BytesIO()
  np.save(content, np.array([{}]))
  return content.getvalue()


@pytest.mark.parametrize('content', [
    b'', b'text', b'PK\x03\x04 half a zip', b'\x93NUMPY', pickled()])
def test_what_is_no_array_is_refused(tmp_path, content):
  (tmp_path / 'x.npz').write_bytes(content)
  with pytest.raises(errors.DamagedData, match='x.npz'):
    image_files.read_array(tmp_path / 'x.npz', 'codes')


@pytest.mark.parametrize('n, columns', [(2, 2), (4, 2), (5, 3), (10, 4)])
def test_several_images_in_one_picture(tmp_path, n, columns):
  x = np.full((n, 8, 8, 3), .2)
  image_files.write_images(tmp_path / 'a.png', x, image_files.numbered(n))
  with Image.open(tmp_path / 'a.png') as image:
    width, height = image.size
  assert -(-n // columns) / columns == pytest.approx(height / width, rel=.05)


def test_what_is_no_picture_is_not_drawn(tmp_path):
  with pytest.raises(errors.UserError, match='1x1x10 .* .npz'):
    image_files.write_images(tmp_path / 'a.png', np.zeros((2, 1, 1, 10)), ['a', 'b'])
