import json
import os

import numpy as np
from PIL import Image
import pytest

from swae_jax import data, errors
from swae_jax.data import base
from swae_jax.data.formats import pictures


def write(path, names, size=(6, 4)):
  """A picture of one grey for each name; its grey is its number."""
  for i, name in enumerate(names):
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', size, (i, i, i)).save(path / name)


def make(path, **options):
  return data.DATASETS['folder'](dir=str(path), **options)


FLAT = [f'{i:02d}.png' for i in range(30)]
NESTED = [f'{"abc"[i % 3]}/{"deep/" if i % 2 else ""}{i:02d}.png'
          for i in range(30)]


def greys(d):
  return [split.images[:, 0, 0, 0].tolist() for split in d[1:4]]


def test_every_picture_is_in_one_split(tmp_path):
  write(tmp_path, FLAT)
  d = make(tmp_path, size=4)
  assert [len(split.labels) for split in d[1:4]] == [24, 3, 3]
  assert sorted(sum(greys(d), [])) == list(range(30))
  assert sum(greys(d), []) != list(range(30))
  assert d.train.images.shape[1:] == (4, 4, 3) and d.classes == 1
  assert d.bounded and not d.binarize
  json.dumps(d.provenance)


def test_the_split_hangs_on_the_names_and_the_seed(tmp_path):
  write(tmp_path / 'a', FLAT)
  write(tmp_path / 'b', FLAT, (9, 9))
  one = make(tmp_path / 'a', size=4)
  assert greys(one) == greys(make(tmp_path / 'b', size=4))
  other = make(tmp_path / 'a', size=4, seed=1)
  assert set(greys(one)[2]) != set(greys(other)[2])
  assert base.fingerprint(one) == base.fingerprint(make(tmp_path / 'a', size=4))


def test_subfolders_are_classes(tmp_path):
  write(tmp_path, NESTED)
  d = make(tmp_path, size=4, valid=.2, test=.3)
  assert d.classes == 3 and d.provenance['classes'] == ['a', 'b', 'c']
  assert [len(split.labels) for split in d[1:4]] == [15, 6, 9]
  for split, grey in zip(d[1:4], greys(d), strict=True):
    assert split.labels.tolist() == [i % 3 for i in grey]


@pytest.mark.parametrize('crop, want', [('centre', [1, 2]), ('none', [0, 2])])
def test_crops(tmp_path, crop, want):
  for name in 'abc':
    x = np.repeat(np.arange(4, dtype=np.uint8) * 80, 2).reshape(1, 8)
    Image.fromarray(np.repeat(x, 4, 0)).save(tmp_path / f'{name}.png')
  # Columns 0 0 80 80 160 160 240 240; the square in the middle: 2 ... 5.
  image = make(tmp_path, size=2, channels=1, crop=crop).train.images[0, 0, :, 0]
  if crop == 'centre':
    assert abs(image.astype(int) - [80, 160]).max() <= 8, image
  else:
    assert image[0] < 60 and image[1] > 180, image


def test_decoded_once_for_all_splits(tmp_path, monkeypatch):
  write(tmp_path, NESTED)
  make(tmp_path, size=4)
  monkeypatch.setattr(pictures, 'decode', None)
  make(tmp_path, size=4, seed=3, valid=.3)
  with pytest.raises(TypeError):
    make(tmp_path, size=4, channels=1)
  write(tmp_path, ['a/new.png'])  # The new picture is seen.
  with pytest.raises(TypeError):
    make(tmp_path, size=4)


def test_a_damaged_picture_is_named(tmp_path):
  write(tmp_path, FLAT)
  (tmp_path / '07.png').write_bytes(b'<html>')
  with pytest.raises(errors.DamagedData, match='07.png cannot be') as e:
    make(tmp_path)
  assert '\n' not in str(e.value) and str(tmp_path) in str(e.value)


def test_loose_pictures_beside_classes_are_refused(tmp_path):
  write(tmp_path, [*NESTED, 'loose.png'])
  with pytest.raises(errors.UserError, match='such as loose.png'):
    make(tmp_path)


@pytest.mark.parametrize('names', [[], ['a.png', 'b.png'], ['a.gif'] * 3])
def test_too_few_pictures_are_refused(tmp_path, names):
  write(tmp_path, names)
  with pytest.raises(errors.MissingData, match='three splits need three'):
    make(tmp_path)


@pytest.mark.parametrize('names, sizes, words', [
    (['train/{}', 'val/{}', 'test/{}'], [10, 10, 10],
     'split by the folders test, train, val'),
    (['Train/{}', 'Test/{}'], [13, 2, 15],
     'folders Test, Train, and valid by a hash'),
    (['train/{}', 'validation/{}'], [13, 15, 2], 'and test by a hash'),
    (['train/a/{}', 'train/b/{}', 'test/b/{}'], [18, 2, 10], 'valid by a hash'),
    (['train/{}', 'bus/{}'], [24, 3, 3], 'split by a hash'),
    (['test/{}', 'control/{}'], [24, 3, 3], 'split by a hash')])
def test_folders_of_splits_are_no_classes(tmp_path, names, sizes, words):
  written = [names[i % len(names)].format(f'{i:02d}.png') for i in range(30)]
  write(tmp_path, written)
  d = make(tmp_path, size=4)
  assert [len(split.labels) for split in d[1:4]] == sizes
  assert words in d.provenance['difference']
  tops = [name.partition('/')[0].lower() for name in written]
  if sizes != [24, 3, 3]:
    assert {tops[i] for i in greys(d)[0]} == {'train'}
    tested = {tops[i] for i in greys(d)[2]}
    assert tested == {'test' if 'test' in tops else 'train'}
    assert d.provenance['classes'] == (['a', 'b'] if 'a/' in names[0] else [])
  else:
    assert len(d.provenance['classes']) == 2


def test_pictures_beside_the_splits_are_refused(tmp_path):
  write(tmp_path, ['train/a.png', 'test/b.png', 'other/c.png'])
  with pytest.raises(errors.UserError, match='splits .* other/c.png'):
    make(tmp_path)


@pytest.mark.parametrize('size', [3, 4, 7])
def test_few_pictures_leave_some_for_each_split(tmp_path, size):
  write(tmp_path, FLAT[:size])
  assert min(len(split.labels) for split in make(tmp_path, size=4)[1:4]) >= 1


def test_nothing_is_written_beside_the_pictures(tmp_path):
  write(tmp_path, FLAT)
  make(tmp_path, size=4)
  make(tmp_path, size=5)
  assert sorted(p.name for p in tmp_path.iterdir()) == FLAT


def test_what_was_read_and_left_out_is_said_from_the_cache_too(tmp_path):
  write(tmp_path, FLAT)
  Image.new('L', (4, 4)).save(tmp_path / 'grey.png')
  for i in range(2):
    d = make(tmp_path, size=4)
    assert d.provenance['read'][:2] == [
        '31 pictures read', 'converted: 1 (grey made colour): grey.png']
    assert d.provenance['read'][2:] == ['left out: 1 (.txt, not read): note.txt'
                                        ] * i
    (tmp_path / 'note.txt').touch()


def test_a_name_that_is_not_utf_8_is_a_name(tmp_path):
  write(tmp_path, FLAT)
  os.rename(tmp_path / '00.png', os.fsencode(tmp_path) + b'/\xff.png')
  assert len(make(tmp_path, size=4).train.labels) == 24


@pytest.mark.parametrize('dir', ['', 'nowhere'])
def test_no_folder(tmp_path, monkeypatch, dir):
  write(tmp_path, FLAT)
  monkeypatch.chdir(tmp_path)
  with pytest.raises(errors.MissingData, match='data.dir=DIR'):
    data.DATASETS['folder'](dir=dir)


def test_shares_that_leave_nothing_to_train_with_are_refused(tmp_path):
  write(tmp_path, FLAT)
  with pytest.raises(errors.UserError, match='folder.valid=0.5.*less than 1'):
    make(tmp_path, valid=.5, test=.5)
