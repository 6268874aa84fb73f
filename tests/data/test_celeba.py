import io
import json
import zipfile

import numpy as np
from PIL import Image
import pytest

from swae_jax import data, errors
from swae_jax.data import base, celeba
from swae_jax.data.formats import pictures

# Official names; split 0, 1, 2; person.  Half of the pictures' sides.
ROWS = [(f'{i:06d}.jpg', (0, 0, 0, 1, 0, 2, 1, 0, 2, 0)[i], 7 + i // 3)
        for i in range(10)]
WIDTH, HEIGHT = 89, 109


def pixels(i, width=WIDTH, height=HEIGHT):
  return np.random.default_rng(i).integers(
      256, size=(height, width, 3), dtype=np.uint8)


def content(array):
  """Without loss, whatever the name says: Pillow looks at the content."""
  out = io.BytesIO()
  Image.fromarray(array).save(out, 'png', compress_level=1)
  return out.getvalue()


def write_pictures(path, place='zip', rows=ROWS, **options):
  for i, (name, *_) in enumerate(rows):
    array = content(pixels(i, **options))
    if place == 'zip':
      with zipfile.ZipFile(path / 'img_align_celeba.zip', 'a') as file:
        file.writestr(f'img_align_celeba/{name}', array)
    else:  # Some mirrors unpack it so.
      folder = path / 'img_align_celeba' / place
      folder.mkdir(parents=True, exist_ok=True)
      (folder / name).write_bytes(array)


def write_lists(path, rows=ROWS, partition=None):
  lines = [f'{name} {part if partition is None else partition}\n'
           for name, part, _ in rows]
  (path / 'list_eval_partition.txt').write_text(''.join(lines))
  (path / 'identity_CelebA.txt').write_text(
      ''.join(f'{name} {person}\n' for name, _, person in rows))


@pytest.fixture(name='folder')
def written(tmp_path):
  write_pictures(tmp_path)
  write_lists(tmp_path)
  return tmp_path


def make(folder, **options):
  return data.DATASETS['celeba'](dir=str(folder), **options)


def test_splits_are_the_official_ones_in_the_order_of_the_names(folder):
  d = make(folder, size=WIDTH, crop='close140')
  for part, split in enumerate(d[1:4]):
    rows = [i for i, row in enumerate(ROWS) if row[1] == part]
    one = [pictures.resized(Image.fromarray(pixels(i)), pictures.Resize(
        WIDTH, 3, *celeba.CROPS['close140'])) for i in rows]
    np.testing.assert_array_equal(split.images, one)
    assert split.labels.tolist() == [0] * len(rows)
  assert d.classes == 1 and d.bounded and not d.binarize
  json.dumps(d.provenance)
  assert d.provenance['difference'] == (
      '10 of 202,599 pictures, 89x109 instead of 178x218')


@pytest.mark.parametrize('width, height, side, left, top', [
    (178, 218, 140, 19, 39), (89, 109, 70, 9, 19)])
def test_close140_is_the_middle_to_scale(
    tmp_path, width, height, side, left, top):
  write_pictures(tmp_path, width=width, height=height)
  write_lists(tmp_path)
  # At the size of the crop nothing is resized.
  d = make(tmp_path, size=side, crop='close140')
  np.testing.assert_array_equal(
      d.train.images[0], pixels(0, width, height)[top:top + side,
                                                  left:left + side])


def test_none_squeezes_all_as_torchvision_does(folder):
  torch = pytest.importorskip('torch')
  x = torch.tensor(pixels(0)).permute(2, 0, 1)[None].float()
  want = torch.nn.functional.interpolate(
      x, (64, 64), mode='bilinear', antialias=True)[0].permute(1, 2, 0).numpy()
  np.testing.assert_allclose(make(folder).train.images[0], want, atol=1)


@pytest.mark.parametrize('place', ['.', 'img_align_celeba'])
def test_a_folder_is_as_good_as_the_zip_file(folder, tmp_path_factory, place):
  other = tmp_path_factory.mktemp('other') / 'celeba'
  other.mkdir()
  write_pictures(other, place)
  lines = ['image_id,partition', *(f'{name},{part}' for name, part, _ in ROWS)]
  (other / 'list_eval_partition.csv').write_text('\n'.join(lines))
  assert base.fingerprint(make(other.parent)) == base.fingerprint(make(folder))


def test_the_full_set_has_no_difference(tmp_path, monkeypatch):
  monkeypatch.setattr(celeba, 'SIZES', (5, 2, 3))
  monkeypatch.setattr(celeba, 'WIDTH', WIDTH)
  monkeypatch.setattr(celeba, 'HEIGHT', HEIGHT)
  write_pictures(tmp_path)
  write_lists(tmp_path)
  assert make(tmp_path).provenance['difference'] == 'none: the full set'


def test_pictures_of_one_partition_are_split_by_person(tmp_path):
  rows = [(f'{i:06d}.jpg', 0, i // 2) for i in range(60)]
  write_pictures(tmp_path, rows=rows, width=4, height=5)
  write_lists(tmp_path, rows)
  d = make(tmp_path, size=4)
  person = {}
  for part, split in enumerate(d[1:4]):
    for image in split.images:
      i = next(i for i in range(60) if (pictures.resized(
          Image.fromarray(pixels(i, 4, 5)), pictures.Resize(
              4, 3, *celeba.CROPS['none'])) == image).all())
      person.setdefault(i // 2, set()).add(part)
  assert len(person) == 30 and {len(parts) for parts in person.values()} == {1}
  assert {p for parts in person.values() for p in parts} == {0, 1, 2}
  assert 'split by person' in d.provenance['difference']


def test_a_split_by_person_does_not_depend_on_the_others(tmp_path):
  rows = [(f'{i:06d}.jpg', 0, i) for i in range(2000)]
  write_lists(tmp_path, rows)
  names = {name: 0 for name, *_ in rows}
  parts = celeba._by_person(names, str(tmp_path))
  some = {name: 0 for name in list(names)[::7]}
  assert celeba._by_person(some, str(tmp_path)) == {
      name: parts[name] for name in some}
  shares = np.bincount(list(parts.values())) / 2000
  np.testing.assert_allclose(shares, [.8, .1, .1], atol=.04)


def test_decoded_once_for_each_option(folder, monkeypatch):
  first = [make(folder, crop=crop, size=8) for crop in celeba.CROPS]
  assert base.fingerprint(first[0]) != base.fingerprint(first[1])
  monkeypatch.setattr(pictures, 'decode', None)  # None is no function.
  again = [make(folder, crop=crop, size=8) for crop in celeba.CROPS]
  assert [*map(base.fingerprint, first)] == [*map(base.fingerprint, again)]
  with pytest.raises(TypeError):
    make(folder, size=9)
  assert len(list(folder.iterdir())) == 3  # Nothing is kept beside the data.
  # The lists count as well as the pictures.
  write_lists(folder, ROWS[:-1])
  with pytest.raises(TypeError):
    make(folder, size=8)


def test_the_cache_can_be_elsewhere(folder, tmp_path_factory):
  other = tmp_path_factory.mktemp('cache')
  before = sorted(folder.iterdir())
  make(folder, size=8, cache_dir=str(other))
  assert sorted(folder.iterdir()) == before
  assert len(list(other.iterdir())) == 1


@pytest.mark.parametrize('lost, words', [
    ('img_align_celeba.zip', '1443490838 bytes.*46fb8944.*prepare celeba'),
    ('list_eval_partition.txt', 'list_eval_partition.txt .*fc955bcb')])
def test_missing_files_are_named_with_all_that_is_needed(folder, lost, words):
  (folder / lost).unlink()
  with pytest.raises(errors.MissingData, match=words) as e:
    make(folder)
  assert '\n' not in str(e.value) and str(folder) in str(e.value)


def test_persons_are_asked_for_where_they_are_needed(folder):
  write_lists(folder, partition=0)
  (folder / 'identity_CelebA.txt').unlink()
  with pytest.raises(errors.MissingData, match='identity_CelebA.txt .*persons'):
    make(folder)
  (folder / 'identity_CelebA.txt').write_text('000000.jpg 5\n')
  with pytest.raises(errors.DamagedData, match='000001.jpg is not there'):
    make(folder)


@pytest.mark.parametrize('place, lists, ending', [
    ('Img/img_align_celeba', ('Eval', 'Anno'), '.jpg'),
    ('CelebA/Img/img_align_celeba', ('CelebA/Eval', 'CelebA/Anno'), '.jpg'),
    ('Img/img_align_celeba_png', ('Eval', 'Anno'), '.png'),
    ('celeba/img_align_celeba', ('celeba', 'celeba'), '.jpg'),
    ('img_align_celeba/img_align_celeba', ('', ''), '.jpg')])
def test_the_layouts_of_others_are_known(folder, tmp_path_factory, place, lists,
                                         ending):
  other = tmp_path_factory.mktemp('other')
  for at in (place, *lists):
    (other / at).mkdir(parents=True, exist_ok=True)
  for i, (name, *_) in enumerate(ROWS):
    (other / place / name.replace('.jpg', ending)).write_bytes(
        content(pixels(i)))
  for at, name in zip(lists, ('list_eval_partition.txt',
                              'identity_CelebA.txt'), strict=True):
    (folder / name).rename(other / at / name)
  write_lists(folder)
  assert base.fingerprint(make(other, size=8)) == base.fingerprint(
      make(folder, size=8))


def test_the_archive_that_python_lacks_is_named(tmp_path):
  (tmp_path / 'Img').mkdir()
  (tmp_path / 'Img' / 'img_align_celeba_png.7z.001').touch()
  with pytest.raises(errors.MissingData, match='7z x img_align'):
    make(tmp_path)


def test_a_mark_of_the_encoding_hides_no_picture(folder):
  want = base.fingerprint(make(folder, size=8))
  path = folder / 'list_eval_partition.txt'
  path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())
  assert base.fingerprint(make(folder, size=8)) == want
  lines = ['image_id,partition', *(f'{name},{part}' for name, part, _ in ROWS)]
  path.unlink()
  (folder / 'list_eval_partition.csv').write_text(
      '\n'.join(lines), encoding='utf-8-sig')
  assert base.fingerprint(make(folder, size=8)) == want


def test_what_the_list_and_the_pictures_do_not_share_is_said(folder):
  write_lists(folder, [*ROWS[1:], ('000099.jpg', 0, 1)])
  first, *rest = make(folder, size=8).provenance['read']
  assert first == '9 pictures read'
  assert '1 (not in list_eval_partition.txt): img' in rest[0]
  assert '1 (in list_eval_partition.txt without a picture): 000099' in (
      rest[0])


def test_two_pictures_of_one_name_are_refused(folder):
  with zipfile.ZipFile(folder / 'img_align_celeba.zip', 'a') as file:
    file.writestr(f'copy/{ROWS[0][0]}', content(pixels(0)))
  with pytest.raises(errors.DamagedData, match='two pictures of one name'):
    make(folder)


@pytest.mark.parametrize('text', [
    '000001.jpg 0\n000001.jpg 0\n', '000001.jpg ' + '9' * 5000,
    '', '<html>', '000000.jpg 3\n', '000000.jpg x\n', '000000.jpg\n',
    'a.jpg 0\n'])
def test_a_damaged_list_is_one_line(folder, text):
  (folder / 'list_eval_partition.txt').write_text(text)
  with pytest.raises(errors.DamagedData, match='list_eval_partition') as e:
    make(folder)
  assert '\n' not in str(e.value)


def test_a_quota_page_instead_of_the_zip_file(folder):
  (folder / 'img_align_celeba.zip').write_text('<html>quota exceeded</html>')
  with pytest.raises(errors.DamagedData, match='no zip file .*27 bytes'):
    make(folder)
