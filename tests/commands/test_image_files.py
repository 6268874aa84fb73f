import io
import zipfile

import numpy as np
from PIL import Image
import pytest
import tiny_trained

from swae_jax import errors
from swae_jax.commands import image_files

GREY, RGB = (8, 8, 1), (8, 8, 3)
FOLDER = {'data': {'name': 'folder', 'folder': {'crop': 'centre'}}}
CELEBA = {'data': {'name': 'celeba', 'celeba': {'crop': 'close140'}}}
OTHER = {'data': {'name': 'digits', 'digits': {}}}
write = image_files.write_images


def read(path, shape, how=None):
  return image_files.read_pictures(path, shape, how)[:2]


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('n, output, names', [
    (3, 'folder', ['00000.png', '00001.png', '00002.png']),
    (1, 'one.png', ['one.png'])])
def test_pictures_come_back_exactly(tmp_path, channels, n, output, names):
  x = tiny_trained.images(n, (8, 8, channels))
  near = np.float32((x - .4) / 255)  # Rounded, not cut off.
  write(tmp_path / output, near, image_files.numbered(n))
  found, found_names = read(tmp_path / output, (8, 8, channels))
  np.testing.assert_array_equal(found, x)
  assert found_names == names


def test_red_stays_red(tmp_path):
  x = np.zeros((1, *RGB), np.float32)
  x[..., 0] = 1
  x[0, 0, 7] = [0, 0, 1]  # The corner on the right is blue.
  write(tmp_path / 'a.png', x, ['a'])
  with Image.open(tmp_path / 'a.png') as image:
    assert image.getpixel((0, 0)) == (255, 0, 0)
    assert image.getpixel((7, 0)) == (0, 0, 255)
  np.testing.assert_array_equal(read(tmp_path / 'a.png', RGB)[0], 255 * x)


def test_a_zip_file_and_names_in_folders(tmp_path):
  x = tiny_trained.images(3)
  write(tmp_path / 'out', x / 255, ['b/0.png', 'a/0.jpg', 'a.b'])
  with zipfile.ZipFile(tmp_path / 'out.zip', 'w') as archive:
    for path in (tmp_path / 'out').rglob('*.png'):
      archive.write(path, path.relative_to(tmp_path / 'out'))
  found, names = read(tmp_path / 'out.zip', GREY)
  assert names == ['a.b.png', 'a/0.png', 'b/0.png']
  np.testing.assert_array_equal(found, x[::-1])


def test_no_name_hides_another(tmp_path):
  paths = image_files.paths(tmp_path, ['a.png', 'a.jpg', 'b'])
  assert len({path.name for path in paths}) == 3


def test_two_images_of_one_name_are_refused(tmp_path):
  with pytest.raises(errors.UserError, match="two images have the name 'a'"):
    write(tmp_path, np.zeros((3, *GREY)), ['a', 'b', 'a'])
  assert not list(tmp_path.iterdir())


def test_a_file_has_no_name_that_cannot_be_seen(tmp_path):
  write(tmp_path, np.zeros((2, *GREY)), ['\x1b[31m', 'a\nb'])
  assert all(path.name.isprintable() for path in tmp_path.iterdir())


@pytest.mark.parametrize('name', ['../a', '/etc/a', 'a/../../b', 'a\0b'])
def test_names_do_not_lead_out_of_the_folder(tmp_path, name):
  with pytest.raises(errors.UserError, match='leads out'):
    write(tmp_path / 'out', np.zeros((1, *GREY)), [name])


def test_other_sizes_are_refused_or_resized_as_asked(tmp_path):
  stripes = np.zeros((8, 24, 3), np.uint8)
  stripes[:, 8:16] = [0, 255, 0]
  Image.fromarray(stripes).save(tmp_path / 'a.png')
  fit = lambda config, crop: read(
      tmp_path, RGB, image_files.resizing(config, RGB, crop))[0][0]
  with pytest.raises(errors.UserError, match='a.png has 24x8 .* takes 8x8'):
    fit(OTHER, None)
  for x in (fit(OTHER, 'centre'), fit(FOLDER, None)):  # the same as in training
    np.testing.assert_array_equal(x, stripes[:, 8:16])
  squeezed = fit(FOLDER, 'none')
  assert squeezed[0, 0, 1] < 9 and squeezed[0, 4, 1] > 246  # It rings.
  assert fit(CELEBA, None).shape == RGB


@pytest.mark.parametrize('shape', [(8, 4, 1), (1, 1, 10)])
def test_images_that_are_no_square_picture_come_as_arrays(tmp_path, shape):
  write(tmp_path / 'a', np.zeros((2, *GREY)), ['a', 'b'])
  words = 'x'.join(map(str, shape))
  with pytest.raises(errors.UserError, match=f'{words}.*npz'):
    read(tmp_path / 'a', shape)
  if shape[2] == 10:
    with pytest.raises(errors.UserError, match=f'{words} .* .npz'):
      write(tmp_path / 'a.png', np.zeros((2, *shape)), ['a', 'b'])


def test_a_folder_without_pictures(tmp_path):
  with pytest.raises(errors.MissingData, match='no pictures'):
    read(tmp_path, GREY)


def test_arrays_come_back_with_their_names(tmp_path):
  x, names = np.random.default_rng(0).random((3, *GREY)), ['c', 'a', 'b']
  numbers = image_files.numbered(3)
  write(tmp_path / 'x.npz', x, names)
  image_files.write_npz(tmp_path / 'y.npz', any=x)
  np.save(tmp_path / 'x.npy', x)
  for name, expected in (('x.npz', names), ('y.npz', numbers),
                         ('x.npy', numbers)):
    found, found_names = image_files.read_array(tmp_path / name, 'images')
    np.testing.assert_array_equal(found, x)
    assert found_names == expected and found.dtype == x.dtype


@pytest.mark.parametrize('words, arrays', [
    ("'codes', or only one array; it holds a, b", {'a': 1, 'b': 2}),
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
def test_files_without_an_array_are_refused(tmp_path, content):
  (tmp_path / 'x.npz').write_bytes(content)
  with pytest.raises(errors.DamagedData, match='x.npz'):
    image_files.read_array(tmp_path / 'x.npz', 'codes')


@pytest.mark.parametrize('n, columns', [(2, 2), (4, 2), (5, 3), (10, 4)])
def test_several_images_in_one_picture(tmp_path, n, columns):
  write(tmp_path / 'a.png', np.full((n, *RGB), .2), image_files.numbered(n))
  with Image.open(tmp_path / 'a.png') as image:
    width, height = image.size
  assert -(-n // columns) / columns == pytest.approx(height / width, rel=.05)
