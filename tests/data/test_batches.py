import numpy as np
import pytest

from swae_jax import errors
from swae_jax.data import batches


@pytest.mark.parametrize('size, batch', [(12, 4), (13, 4), (5, 5), (7, 1)])
def test_an_epoch_meets_no_example_twice_and_drops_the_remainder(size, batch):
  per_epoch = size // batch
  for epoch in range(3):
    steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
    seen = np.concatenate([batches.indices(0, t, batch, size) for t in steps])
    assert len(seen) == per_epoch * batch == len(set(seen.tolist()))
    assert seen.min() >= 0 and seen.max() < size


def test_indices_are_those_of_numpys_permutation():
  order = np.random.default_rng((3, 2)).permutation(10)
  # Three batches an epoch: steps 6, 7, 8 make the third.
  for i in range(3):
    got = batches.indices(3, 6 + i, 3, 10)
    np.testing.assert_array_equal(got, order[3 * i:3 * i + 3])
    assert got.dtype == np.int32


def test_a_step_does_not_depend_on_the_steps_before():
  straight = [batches.indices(1, t, 3, 11) for t in range(20)]
  batches._order.cache_clear()
  for t in np.random.default_rng(0).permutation(20).tolist():
    np.testing.assert_array_equal(batches.indices(1, t, 3, 11), straight[t])


def test_seeds_and_epochs_have_orders_of_their_own():
  orders = [batches.indices(seed, epoch, 20, 20)
            for seed in range(3) for epoch in range(3)]
  assert len({order.tobytes() for order in orders}) == 9


def test_dropped_examples_come_in_other_epochs():
  seen = np.concatenate([batches.indices(0, t, 4, 7) for t in range(20)])
  assert set(seen.tolist()) == set(range(7))


def test_the_order_of_an_epoch_is_drawn_once_and_cannot_be_spoilt():
  batches._order.cache_clear()
  for t in range(10):
    batch = batches.indices(0, t, 2, 20)
  assert batches._order.cache_info().misses == 1
  with pytest.raises(ValueError, match='read-only'):
    batch[0] = 0


@pytest.mark.parametrize('batch', [0, -1, 6])
def test_an_impossible_batch_is_refused(batch):
  with pytest.raises(
      errors.UserError, match=rf'batch_size={batch}: .* \[1, 5\],'):
    batches.indices(0, 0, batch, 5)
