import io
import time
import zipfile

import numpy as np
from PIL import Image
import pytest

from swae_jax import errors
from swae_jax.data.formats import pictures

NEAREST = Image.Resampling.NEAREST


def encoded(array, form='png', **options):
  out = io.BytesIO()
  Image.fromarray(array).save(out, form, **options)
  return out.getvalue()


def random(*shape):
  return np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)


def zipped(path, contents):
  with zipfile.ZipFile(path, 'w') as file:
    for name, content in contents.items():
      file.writestr(name, content)
  return path


def how(size, channels=3, box=pictures.full_box):
  return pictures.Resize(size, channels, NEAREST, box)


@pytest.mark.parametrize('place', ['folder', 'zip'])
def test_pixels_names_and_order_are_those_of_the_files(tmp_path, place):
  arrays = {f'b/{i}.png': random(4, 4, 3) + np.uint8(i) for i in range(130)}
  contents = {k: encoded(v) for k, v in arrays.items()}
  contents |= {'note.txt': b'', '.hidden.png': b'', '__MACOSX/b/0.png': b''}
  if place == 'zip':
    path = zipped(tmp_path / 'x.zip', contents)
  else:
    path = tmp_path
    for name, content in contents.items():
      (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
      (tmp_path / name).write_bytes(content)
  found = pictures.find(path)
  assert found.names == sorted(arrays)
  names = found.names[::-1]
  x = pictures.decode(found, names, how(4))
  assert x.dtype == np.uint8
  np.testing.assert_array_equal(x, np.stack([arrays[name] for name in names]))


def test_digest_sees_names_and_contents(tmp_path):
  def digest(**contents):
    return pictures.find(zipped(tmp_path / 'x.zip', {
        f'{k}.png': v for k, v in contents.items()})).digest
  digests = [digest(a=b'1'), digest(a=b'2'), digest(b=b'1'), digest(a=b'11'),
             digest(a=b'1', b=b'1')]
  assert len(set(digests)) == 5 and digest(a=b'1') == digests[0]
  folder = tmp_path / 'folder'
  folder.mkdir()
  (folder / 'a.png').write_bytes(b'1')
  one = pictures.find(folder).digest
  assert one == pictures.find(folder).digest
  (folder / 'a.png').write_bytes(b'12')
  assert one != pictures.find(folder).digest


@pytest.mark.parametrize('form, array', [
    ('png', random(6, 5)), ('png', random(6, 5, 4)), ('bmp', random(6, 5, 3)),
    ('webp', random(6, 5, 3)), ('jpeg', random(6, 5, 3))])
@pytest.mark.parametrize('channels', [1, 3])
def test_all_forms_give_the_channels_asked_for(tmp_path, form, array, channels):
  options = {'lossless': True} if form == 'webp' else {}
  path = zipped(tmp_path / 'x.zip',
                {f'x.{form}': encoded(array, form, **options)})
  x = pictures.decode(pictures.find(path), [f'x.{form}'], how(8, channels))
  assert x.shape == (1, 8, 8, channels)


def test_grey_is_the_weighted_mean_of_the_colours(tmp_path):
  rgb = random(4, 4, 3)
  path = zipped(tmp_path / 'x.zip', {'x.png': encoded(rgb)})
  grey = pictures.decode(pictures.find(path), ['x.png'], how(4, 1))[0, ..., 0]
  np.testing.assert_allclose(grey, rgb @ [.299, .587, .114], atol=1)


@pytest.mark.parametrize('shape', [(4, 7), (7, 4), (5, 8), (6, 6)])
def test_centre_is_the_square_in_the_middle(tmp_path, shape):
  x = random(*shape, 3)
  path = zipped(tmp_path / 'x.zip', {'x.png': encoded(x)})
  side = min(shape)
  got = pictures.decode(pictures.find(path), ['x.png'],
                      how(side, box=pictures.centre_box))[0]
  top, left = ((n - side) // 2 for n in shape)
  np.testing.assert_array_equal(
      got, x[top:top + side, left:left + side])


def test_the_pixels_around_a_crop_are_not_seen(tmp_path):
  x = np.full((4, 12, 3), 255, np.uint8)
  x[:, 4:8] = 9
  path = zipped(tmp_path / 'x.zip', {'x.png': encoded(x)})
  sharp = pictures.Resize(2, 3, Image.Resampling.LANCZOS, pictures.centre_box)
  assert (pictures.decode(pictures.find(path), ['x.png'], sharp) == 9).all()


def test_a_photo_is_turned_as_its_camera_says(tmp_path):
  x = random(4, 4, 3)
  exif = Image.Exif()
  exif[0x0112] = 6  # To be turned by 90 degrees, clockwise.
  path = zipped(tmp_path / 'x.zip', {'x.png': encoded(x, exif=exif)})
  got = pictures.decode(pictures.find(path), ['x.png'], how(4))[0]
  np.testing.assert_array_equal(got, np.rot90(x, -1))


@pytest.mark.parametrize('content, words', [
    (b'', 'no picture'),
    (b'<html>quota exceeded</html>', 'no picture'),
    (encoded(random(16, 16, 3))[:-40], '.'),
    (encoded(random(99, 99, 3), 'jpeg')[:900], 'truncated'),
    (encoded(random(4, 4).astype(np.uint16)), 'more than 8 bits')])
def test_a_damaged_picture_is_named_in_one_line(tmp_path, content, words):
  good = encoded(random(16, 16, 3))
  path = zipped(tmp_path / 'x.zip', {'a.png': good, 'b.png': content})
  with pytest.raises(errors.DamagedData, match=words) as e:
    pictures.decode(pictures.find(path), ['a.png', 'b.png'], how(4))
  assert str(e.value).startswith(f'{path}: b.png cannot be decoded')
  assert '\n' not in str(e.value)


def test_a_flipped_bit_in_a_zip_is_found(tmp_path):
  path = zipped(tmp_path / 'x.zip', {'a.bmp': encoded(random(9, 9, 3), 'bmp')})
  content = bytearray(path.read_bytes())
  content[150] ^= 1  # A pixel: the picture itself has no checksum.
  path.write_bytes(content)
  with pytest.raises(errors.DamagedData, match='a.bmp .*CRC'):
    pictures.decode(pictures.find(path), ['a.bmp'], how(4))


@pytest.mark.parametrize('content', [b'', b'<html>quota exceeded</html>'])
def test_what_is_no_zip_file_is_named(tmp_path, content):
  path = tmp_path / 'x.zip'
  path.write_bytes(content)
  with pytest.raises(errors.DamagedData, match=f'{len(content)} bytes') as e:
    pictures.find(path)
  assert str(e.value).startswith(f'{path}: no zip file')


def test_the_first_damage_ends_it():
  seen = []

  def get(i):
    seen.append(i)
    if i == 70:
      raise errors.DamagedData('x')
    time.sleep(.001)
    return 0
  with pytest.raises(errors.DamagedData):
    pictures.decode_all(10_000 * pictures.CHUNK, how(1), get)
  assert len(seen) < 5000
