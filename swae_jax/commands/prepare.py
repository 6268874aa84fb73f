"""Fetches a data set, checks it, and decodes its pictures once.

  swae prepare NAME --data_dir=DIR [option=value ...]
  swae prepare inception --from=FILE --data_dir=DIR

The command only checks files that are there already.  The options are those of
the data set, such as size=32.  The second form converts a file of another
project into the weights of the Inception network, which the FID needs.
"""
from collections.abc import Iterable, Sequence
import pathlib
from typing import Any

from swae_jax import data, errors, options
from swae_jax.commands import cli
from swae_jax.data import base, celeba
from swae_jax.data.formats import download, files
from swae_jax.evals.inception import sources


def _idx(addresses: Iterable[str], **md5: str) -> tuple[download.File, ...]:
  names = {'train_images': 'train-images-idx3-ubyte.gz',
           'train_labels': 'train-labels-idx1-ubyte.gz',
           'test_images': 't10k-images-idx3-ubyte.gz',
           'test_labels': 't10k-labels-idx1-ubyte.gz'}
  return tuple(
      download.File(name, tuple(address + name for address in addresses),
                    md5[key]) for key, name in names.items())


CIFAR10 = (download.File(
    'cifar-10-binary.tar.gz',
    ('https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz',),
    'c32a1d4ab5d03f1284b67883e8d87530'),)

# {data set: (its folder in data_dir, files)}
DOWNLOADS: dict[str, tuple[str, tuple[download.File, ...]]] = {
    'mnist': ('mnist', _idx(
        ('https://ossci-datasets.s3.amazonaws.com/mnist/',
         'https://storage.googleapis.com/cvdf-datasets/mnist/'),
        train_images='f68b3c2dcbeaaa9fbdd348bbdeb94873',
        train_labels='d53e105ee54ea40749a09fcbcd1e9432',
        test_images='9fb629c4189551a2d022fa330f9573f3',
        test_labels='ec29112dd5afa0611ce80d1b7f02629c')),
    'fashion_mnist': ('fashion_mnist', _idx(
        ('https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/'
         'master/data/fashion/',
         'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/'),
        train_images='8d4fb7e6c68d591d4c3dfef9ec88bf0d',
        train_labels='25c81989df183df01b3e8a0aad5dffbe',
        test_images='bef4ecab320f06d8554ea6380940ec79',
        test_labels='bb300cfdad3c16e7a12a480ee83cd310')),
    'cifar10': ('cifar10', CIFAR10),
    'cifar10_sub': ('cifar10', CIFAR10),
    'coil20': ('coil20', (download.File(
        'coil-20-proc.zip',
        ('https://www.cs.columbia.edu/CAVE/databases/SLAM_coil-20_coil-100/'
         'coil-20/coil-20-proc.zip',)),)),
}


def prepare(name: str, data_dir: str, **values: Any) -> base.Dataset:
  """The data set; fetches missing files if their terms allow it.

  Args:
    name: a name in data.DATASETS.
    data_dir: the folder of the data sets.
    **values: options of the data set.
  """
  make = data.DATASETS[name]
  if 'dir' not in options.of(make):
    return make(**values)  # The data set needs no file.
  try:
    return make(dir=data_dir, **values)
  except errors.MissingData as e:
    if name == 'celeba':
      raise _place_celeba(data_dir) from e
    if name not in DOWNLOADS:
      raise
  except errors.DamagedData as e:
    raise errors.DamagedData(
        f'{e}; delete it and run this again' if name in DOWNLOADS else e) from e
  fetched = _fetch(*DOWNLOADS[name], data_dir)
  try:
    return make(dir=data_dir, **values)
  except errors.DamagedData:
    for path in fetched:  # The next call fetches them again.
      path.unlink()
    raise


def _fetch(folder: str, wanted: Iterable[download.File],
           data_dir: str) -> list[pathlib.Path]:
  """Fetches the files that are not there yet; returns their paths."""
  fetched = []
  for file in wanted:
    unpacked = file.name.replace('-ubyte.gz', '-ubyte')
    if not files.find(folder, data_dir, file.name, unpacked):
      path = errors.path(data_dir) / folder / file.name
      download.fetch(file, path)
      fetched.append(path)
  return fetched


def _place_celeba(data_dir: str) -> errors.MissingData:
  folder = errors.path(data_dir) / 'celeba'
  return errors.MissingData(
      'celeba: its terms forbid passing CelebA on; download CelebA from '
      f'https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, put into {folder} '
      f'{celeba.NEEDED} and {celeba.NEEDED_PARTITION}, and run this again')


def prepare_inception(source: str | None, data_dir: str) -> str:
  """Converts the weights in `source`, or checks the converted weights.

  Returns:
    A line with the features that the weights compute.
  """
  from swae_jax.evals.inception import weights
  path = (weights.convert(source, data_dir) if source
          else weights.find(data_dir))
  taps, sha256 = weights.content(path)
  return (f'inception: {path}: features of {", ".join(map(str, taps))} '
          f'(sha256 of arrays {sha256})')


def options_of(name: str, pairs: Iterable[str]) -> dict[str, Any]:
  """{option: value} of a data set from texts such as 'size=32'."""
  known = {option: found for option, found in
           options.of(data.DATASETS[name]).items() if option != 'dir'}
  values = {}
  for pair in pairs:
    option, equals, text = pair.partition('=')
    if option not in known or not equals:
      all_of_them = ', '.join(f'{k}={v.default}' for k, v in known.items())
      raise errors.UserError(f'{pair!r}: the options of {name} are '
                             f'{all_of_them or "none"}')
    try:
      values[option] = options.parsed(option, known[option], text)
    except errors.UserError as e:
      raise errors.UserError(f'{name}: {str(e).removeprefix("--")}') from e
  return values


def report(dataset: base.Dataset) -> str:
  """The sizes of a data set, and how it differs from the full set."""
  counts = ', '.join(f'{len(split.images):,} {name}' for name, split in zip(
      ('train', 'valid', 'test'), dataset[1:4], strict=True))
  shape = 'x'.join(map(str, dataset.train.images.shape[1:]))
  return '\n'.join(map(errors.printable, (
      f'{dataset.name}: {counts}, {shape}',
      f'difference from the full set: {dataset.provenance["difference"]}',
      *dataset.provenance.get('read', ()))))


def _parser() -> cli.Parser:
  parser = cli.parser(__doc__, prog='swae prepare', usage=(
      'swae prepare NAME --data_dir=DIR [option=value ...]'))
  parser.add_argument('name', metavar='NAME', nargs='?',
                      choices=[*data.DATASETS, 'inception'],
                      help=f'{", ".join(data.DATASETS)} or inception')
  parser.add_argument('options', metavar='option=value', nargs='*',
                      help='options of the data set')
  parser.add_argument('--data_dir', metavar='DIR', required=True,
                      help='the folder of the data sets; each data set has a '
                      'folder in it')
  parser.add_argument('--from', dest='source', metavar='FILE',
                      help=f'for inception: {sources.KNOWN}')
  return parser


def main(argv: Sequence[str] | None = None) -> None:
  """Prepares the data set that the command line names."""
  parser = _parser()
  flags = parser.parse_intermixed_args(argv)
  try:
    if not flags.name:
      parser.error('name a data set first, one of '
                   f'{", ".join(data.DATASETS)}, or inception')
    if not flags.data_dir:
      parser.error('--data_dir is empty: name the folder of the data sets, '
                   'such as --data_dir=data')
    if flags.name != 'inception' and flags.source:
      parser.error('only inception takes --from')
    if flags.name == 'inception' and flags.options:
      parser.error('inception takes --from and no options')
    if flags.name == 'inception':
      print(errors.printable(prepare_inception(flags.source, flags.data_dir)))
    else:
      print(report(prepare(flags.name, flags.data_dir,
                           **options_of(flags.name, flags.options))))
  except (Exception, KeyboardInterrupt) as e:
    errors.end(e)


if __name__ == '__main__':
  main()
