import json

import numpy as np
import pytest

from swae_jax import data, errors
from swae_jax.data import base, digits

pytest.importorskip('sklearn')


def test_splits_are_a_partition_of_scikit_learns_digits():
  from sklearn import datasets
  d = data.DATASETS['digits']()
  splits = (d.train, d.valid, d.test)
  assert [len(s.images) for s in splits] == [1297, 200, 300]
  found = datasets.load_digits()
  rows = lambda x, y: sorted(zip(map(bytes, x), y.tolist(), strict=True))
  images = np.concatenate([s.images for s in splits])
  # 0..16 becomes 0..255: rounding by another route.
  want = np.array([round(v * 255 / 16) for v in range(17)],
                  np.uint8)[found.images.astype(int)]
  assert rows(images, np.concatenate([s.labels for s in splits])) == (
      rows(want, found.target))


def test_splits_are_mixed_and_always_the_same():
  d = digits.make()
  # The file runs 0, 1, 2, ..., 9, 0, ...; a permuted split does not.
  assert d.train.labels[:10].tolist() != list(range(10))
  for split in (d.train, d.valid, d.test):
    share = np.bincount(split.labels, minlength=10) / len(split.labels)
    assert share.min() > .05
  assert base.fingerprint(d)['sha256'] == (
      'bf3d0d566bfbd19986654ca63f7e38738422e8617efc2731b49a5004db2eb5ec')


def test_what_the_floors_above_read():
  d = digits.make()
  assert d.name == 'digits' and d.bounded and not d.binarize
  assert d.classes == 10 and d.train.images.shape[1:] == (8, 8, 1)
  assert d.train.images.dtype == np.uint8 and d.train.images.max() == 255
  assert digits.SHA256 in json.dumps(d.provenance)


def test_binarize_is_the_protocol_of_binary_mnist():
  grey, binary = digits.make(), digits.make(binarize=True)
  assert binary.binarize
  np.testing.assert_array_equal(grey.train.images, binary.train.images)
  assert set(np.unique(binary.test.images)) == {0, 255}


def test_another_content_is_refused(monkeypatch):
  monkeypatch.setattr(digits, 'SHA256', '0' * 64)
  with pytest.raises(errors.DamagedData, match='digits: .* expected 0000') as e:
    digits.make()
  assert '\n' not in str(e.value)
