import io
import os
import struct
import time
import zipfile
import zlib

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
    (encoded(random(4, 4).astype(np.int32), "tiff"), "more than 16 bits")])
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


def png16(array):
  """A png of 16 bits a channel, [H, W, C], C of 1, 3 or 4, made by hand."""
  chunk = lambda kind, data: (
      struct.pack('>I', len(data)) + kind + data
      + struct.pack('>I', zlib.crc32(kind + data)))
  height, width, channels = array.shape
  rows = b''.join(b'\0' + row.astype('>u2').tobytes() for row in array)
  kind = {1: 0, 3: 2, 4: 6}[channels]
  head = struct.pack('>IIBBBBB', width, height, 16, kind, 0, 0, 0)
  return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head)
          + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))


def decoded(tmp_path, name, content, size, channels):
  """The image of a file, and what was said of it."""
  (tmp_path / name).write_bytes(content)
  found = pictures.find(tmp_path)
  x = pictures.decode(found, [name], how(size, channels))[0]
  return x, pictures.summary(found, 1)[1:]


@pytest.mark.parametrize('channels', [1, 3, 4])
def test_16_bits_are_scaled_to_8_and_not_cut(tmp_path, channels):
  wide = np.random.default_rng(0).integers(
      1 << 16, size=(6, 6, channels), dtype=np.uint16)
  wide[0, :4] = np.array([65535, 0, 128, 129])[:, None]  # 129 is nearer to 257.
  x, said = decoded(tmp_path, 'a.png', png16(wide), 6, min(channels, 3))
  np.testing.assert_array_equal(x, np.rint(wide[..., :3] / 257))
  assert '1 (16 bits a channel, scaled to 8): a.png' in said[0]
  assert ('transparency dropped' in said[0]) == (channels == 4)


@pytest.mark.parametrize('form', ['tiff', 'ppm'])
def test_16_bits_of_other_forms_are_scaled(tmp_path, form):
  wide = np.random.default_rng(0).integers(
      1 << 16, size=(6, 6), dtype=np.uint16)
  content = (encoded(wide, 'tiff') if form == 'tiff' else
             b'P5 6 6 65535\n' + wide.astype('>u2').tobytes())
  x, _ = decoded(tmp_path, 'a.pgm', content, 6, 1)
  np.testing.assert_array_equal(x[..., 0], np.rint(wide / 257))


@pytest.mark.parametrize('form', ['gif', 'tiff', 'webp', 'avif'])
def test_the_first_of_several_frames_is_taken(tmp_path, form):
  if f'.{form}' not in pictures.SUFFIXES:
    pytest.skip(f'Pillow without {form}')
  out = io.BytesIO()
  first, other = (Image.new('RGB', (8, 8), c) for c in ('red', 'blue'))
  first.save(out, form, save_all=True, append_images=[other])
  x, said = decoded(tmp_path, f'a.{form}', out.getvalue(), 8, 3)
  assert x[4, 4, 0] > 240 and x[4, 4, 2] < 16
  assert 'several frames, the first taken' in said[0]


def test_all_that_is_left_out_is_said(tmp_path):
  inner = tmp_path / 'in'
  inner.mkdir()
  (inner / 'a.png').write_bytes(encoded(random(4, 4, 3)))
  for name in ('b.svg', 'c.SVG', 'README', '.d.png'):
    (inner / name).touch()
  (inner / '@eaDir').mkdir()
  (inner / '@eaDir' / 'a.png').touch()
  os.symlink('nothing', inner / 'e.png')
  os.symlink('f.png', inner / 'f.png')  # Leads to itself.
  os.symlink('.', inner / 'g')
  os.symlink('..', inner / 'h')
  os.mkfifo(inner / 'i.png')
  os.symlink('/dev/zero', inner / 'j.png')
  os.symlink('a.png', inner / 'k.png')
  found = pictures.find(tmp_path)
  assert found.names == ['in/a.png', 'in/k.png']
  pictures.decode(found, found.names, how(4))
  assert pictures.summary(found, 2) == [
      '2 pictures read', 'left out: 2 (.svg, not read): in/b.svg, ...; '
      '2 (a link to a folder that is read anyway): in/g, ...; '
      '2 (a link to nothing): in/e.png, ...; '
      '2 (hidden, or made by a system): in/.d.png, ...; '
      '2 (neither file nor folder): in/i.png, ...; '
      '1 (no suffix, not read): in/README']


def test_a_folder_behind_a_link_is_read_once(tmp_path):
  outside, inside = tmp_path / 'outside', tmp_path / 'inside'
  for folder in (outside, inside / 'z'):
    folder.mkdir(parents=True)
    (folder / 'a.png').write_bytes(encoded(random(4, 4, 3)))
  os.symlink(outside, inside / 'b')
  os.symlink(outside, inside / 'c')
  os.symlink('z', inside / 'a')  # The folder itself counts, not its link.
  found = pictures.find(inside)
  assert found.names == ['b/a.png', 'z/a.png']
  assert found.left_out == {
      'a link to a folder that is read anyway': ['a', 'c']}


def bomb(width, height):
  """A png of some bytes with a very large picture in its head."""
  content = bytearray(encoded(random(4, 4, 3)))
  content[16:24] = struct.pack('>II', width, height)
  content[29:33] = struct.pack('>I', zlib.crc32(content[12:29]))
  return bytes(content)


@pytest.mark.parametrize('content, words', [
    (bomb(10_000, 10_000), 'pixels'), (bomb(100_000, 100_000), 'pixels'),
    (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n', 'no picture'),
    (b'GIF89a' + b'\xff' * 7, '.'), (b'II*\0' + b'\xff' * 9, '.'),
    (b'P5 9 9 255\n', '.'), (b'P5 99999999 99999999 255\n', '.'),
    (b'BM' + b'\xff' * 60, '.')])
def test_a_hostile_picture_is_refused_in_one_line(
    tmp_path, content, words, recwarn):
  (tmp_path / 'a.png').write_bytes(content)
  found = pictures.find(tmp_path)
  with pytest.raises(errors.DamagedData, match=f'cannot be.*{words}') as e:
    pictures.decode(found, found.names, how(4))
  assert '\n' not in str(e.value) and not list(recwarn)


def test_no_program_is_started_for_a_picture(tmp_path, monkeypatch):
  out = io.BytesIO()
  Image.new('RGB', (4, 4)).save(out, 'eps')
  (tmp_path / 'a.png').write_bytes(out.getvalue())
  monkeypatch.setattr('subprocess.Popen', None)
  found = pictures.find(tmp_path)
  with pytest.raises(errors.DamagedData, match='no picture'):
    pictures.decode(found, found.names, how(4))


def test_a_file_too_large_for_a_picture_is_not_read(tmp_path):
  with open(tmp_path / 'a.png', 'wb') as file:
    file.truncate(1 << 40)  # No byte of it is on the disk.
  with pytest.raises(errors.DamagedData, match='too many for a picture'):
    pictures.find(tmp_path)
