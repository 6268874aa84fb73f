import hashlib
import json
import zipfile

import numpy as np
from PIL import Image
import pytest

from swae_jax import data, errors
from swae_jax.data import coil20

OBJECTS, VIEWS = 2, 6


@pytest.fixture(name='large')
def small_set(monkeypatch):
  """12 images uint8 [12, 128, 128]; the digest matches."""
  images = np.random.default_rng(0).integers(
      256, size=(OBJECTS * VIEWS, 128, 128), dtype=np.uint8)
  monkeypatch.setattr(coil20, 'OBJECTS', OBJECTS)
  monkeypatch.setattr(coil20, 'VIEWS', VIEWS)
  monkeypatch.setattr(coil20, 'TRAIN', 7)
  monkeypatch.setattr(coil20, 'VALID', 3)
  monkeypatch.setattr(coil20, 'SHA256', hashlib.sha256(
      small(images).tobytes()).hexdigest())
  return images


def small(images):
  """The mean of 4x4 pixels by another route, halves rounded up."""
  out = np.empty((len(images), 32, 32), np.uint8)
  for row in range(32):
    for column in range(32):
      block = images[:, 4 * row:4 * row + 4, 4 * column:4 * column + 4]
      mean = block.reshape(len(images), 16).mean(1)
      out[:, row, column] = np.floor(mean + .5)
  return out


def write_npz(path, images):
  np.savez(path / 'coil20_128.npz', images=images[..., None])


def write_zip(path, images):
  with zipfile.ZipFile(path / 'coil-20-proc.zip', 'w') as file:
    for name in write_folder(path / 'tmp', images):
      file.write(name, f'coil-20-proc/{name.name}')


def write_folder(path, images):
  folder = path / 'coil-20-proc'
  folder.mkdir(parents=True)
  for i, image in enumerate(images):
    name = folder / f'obj{i // VIEWS + 1}__{i % VIEWS}.png'
    Image.fromarray(image).save(name)
    yield name


def write_mat(path, images, transpose=False):
  io = pytest.importorskip('scipy.io')
  means = images.reshape(-1, 32, 4, 32, 4).mean((2, 4)) / 255
  fea = np.stack([image.flatten(order='F') for image in means])
  io.savemat(path / 'COIL20.mat', {'fea': fea.T if transpose else fea})


WRITERS = {
    'npz': write_npz, 'zip': write_zip, 'mat': write_mat,
    'folder': lambda path, images: list(write_folder(path, images)),
    'mat_t': lambda path, images: write_mat(path, images, True)}


@pytest.mark.parametrize('form', WRITERS)
def test_all_forms_give_the_same_set(tmp_path, large, form, monkeypatch):
  # So small, [12, 1024] is told from [1024, 12] as the real shapes are.
  WRITERS[form](tmp_path, large)
  d = data.DATASETS['coil20'](dir=str(tmp_path))
  order = np.random.RandomState(14).permutation(OBJECTS * VIEWS)
  assert [len(split.labels) for split in d[1:4]] == [7, 3, 2]
  images = np.concatenate([split.images for split in d[1:4]])
  np.testing.assert_array_equal(images[..., 0], small(large)[order])
  labels = np.concatenate([split.labels for split in d[1:4]])
  assert labels.tolist() == (order // VIEWS).tolist()
  assert d.classes == OBJECTS and d.bounded and not d.binarize
  assert coil20.SHA256 in json.dumps(d.provenance)


def test_another_content_is_refused(tmp_path, large):
  large[3, 5, 5] ^= 128
  write_npz(tmp_path, large)
  with pytest.raises(errors.DamagedData, match='coil20_128.npz.*sha256'):
    coil20.make(dir=str(tmp_path))


def test_a_lost_picture_is_named(tmp_path, large):
  names = list(write_folder(tmp_path, large))
  names[VIEWS + 2].unlink()
  with pytest.raises(errors.DamagedData, match='1 pictures.* obj2__2.png'):
    coil20.make(dir=str(tmp_path))


@pytest.mark.parametrize('name', [
    'coil20_128.npz', 'COIL20.mat', 'coil-20-proc.zip'])
@pytest.mark.parametrize('content', [b'', b'<html>', b'PK\x03\x04'])
def test_damage_is_one_line(tmp_path, name, content):
  (tmp_path / name).write_bytes(content)
  with pytest.raises(errors.DamagedData, match=name) as e:
    coil20.make(dir=str(tmp_path))
  assert '\n' not in str(e.value) and 'fetch the file again' in str(e.value)


def test_missing_is_one_line(tmp_path):
  with pytest.raises(errors.MissingData, match='coil-20-proc.zip.*prepare'):
    coil20.make(dir=str(tmp_path))
