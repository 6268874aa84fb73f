"""Fetches a data set, checks it, and decodes it once.

python -m swae_jax.prepare NAME --data_dir=DIR [option=value ...]
python -m swae_jax.prepare inception --from=FILE --data_dir=DIR

What is there already is only checked.  An interrupted download goes on where
it stopped.  The options are those of the data set, as in size=32.
The second form converts the weights of the FID's network, once.
"""
import inspect
import pathlib

from absl import app, flags

from swae_jax import data, errors
from swae_jax.data import celeba
from swae_jax.data.formats import download, files
from swae_jax.evals.inception import sources

DATA_DIR = flags.DEFINE_string(
    'data_dir', None, 'The folder of the data sets; each has its own in it.')
FROM = flags.DEFINE_string(
    'from', None, f'For inception: {sources.KNOWN}.')


def _idx(addresses, **md5):
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

# By data set: its folder in data_dir, and the files.
DOWNLOADS = {
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


def prepare(name, data_dir, **options):
  """The data set; what is missing is fetched where that can be done."""
  make = data.DATASETS[name]
  if 'dir' not in inspect.signature(make).parameters:
    return make(**options)  # It needs no file.
  try:
    return make(dir=data_dir, **options)
  except errors.MissingData as e:
    if name == 'celeba':
      raise _place_celeba(data_dir) from e
    if name not in DOWNLOADS:
      raise
  except errors.DamagedData as e:
    raise errors.DamagedData(
        f'{e}; delete it and run this again' if name in DOWNLOADS else e) from e
  folder, wanted = DOWNLOADS[name]
  fetched = []
  for file in wanted:
    unpacked = file.name.replace('-ubyte.gz', '-ubyte')
    if not files.find(folder, data_dir, file.name, unpacked):
      fetched.append(pathlib.Path(data_dir).expanduser() / folder / file.name)
      download.fetch(file, fetched[-1])
  try:
    return make(dir=data_dir, **options)
  except errors.DamagedData:
    for path in fetched:  # So that the next call fetches them again.
      path.unlink()
    raise


def _place_celeba(data_dir):
  folder = pathlib.Path(data_dir).expanduser() / 'celeba'
  return errors.MissingData(
      'celeba: its terms let nobody pass it on; get it from '
      f'https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, put into {folder} '
      f'{celeba.NEEDED} and {celeba.NEEDED_PARTITION}, and run this again')


def prepare_inception(source, data_dir):
  """Converts `source`, or checks what is there; in words what that is."""
  from swae_jax.evals.inception import weights
  path = (weights.convert(source, data_dir) if source
          else weights.find(data_dir))
  taps, sha256 = weights.content(path)
  return (f'inception: {path}: features of {", ".join(map(str, taps))} '
          f'(sha256 of arrays {sha256})')


def options_of(name, pairs):
  """{option: value} of the texts option=value, in the type of the default."""
  known = {p.name: p.default for p in
           inspect.signature(data.DATASETS[name]).parameters.values()
           if p.name != 'dir'}
  options = {}
  for pair in pairs:
    option, equals, value = pair.partition('=')
    if option not in known or not equals:
      raise errors.UserError(
          f'{pair!r}: the options of {name} are '
          f'{", ".join(f"{k}={v}" for k, v in known.items()) or "none"}')
    kind = type(known[option])
    try:
      options[option] = (
          {'true': True, 'false': False}[value.lower()] if kind is bool
          else kind(value))
    except (KeyError, ValueError):
      raise errors.UserError(f'{pair!r}: {option} is such as '
                             f'{known[option]!r}') from None
  return options


def report(dataset):
  """What there is, in words."""
  counts = ', '.join(f'{len(split.images):,} {name}' for name, split in zip(
      ('train', 'valid', 'test'), dataset[1:4], strict=True))
  shape = 'x'.join(map(str, dataset.train.images.shape[1:]))
  return (f'{dataset.name}: {counts}, {shape}\n'
          f'difference from the full set: {dataset.provenance["difference"]}')


def parse(argv):
  """Reads the flags; a mistake is one line."""
  try:
    rest = flags.FLAGS(argv)[1:]
    weights = rest[:1] == ['inception']
    if not weights and (not rest or rest[0] not in data.DATASETS):
      raise errors.UserError(
          'the first argument is the data set, one of '
          f'{", ".join(data.DATASETS)}, or inception; found {rest[:1]}')
    if not DATA_DIR.value:
      raise errors.UserError('--data_dir is missing: name the folder of the '
                             'data sets, such as --data_dir=data')
    if weights and rest[1:] or FROM.value and not weights:
      raise errors.UserError('inception takes --from and no options, and '
                             'nothing else takes --from')
    if not weights:
      options_of(rest[0], rest[1:])
  except flags.Error as e:
    errors.end(errors.UserError(e))
  except errors.UserError as e:
    errors.end(e)
  return [argv[0], *rest]


def main(argv):
  """Prepares the data set that the first argument names."""
  name, data_dir = argv[1], DATA_DIR.value
  try:
    if name == 'inception':
      print(prepare_inception(FROM.value, data_dir))
    else:
      print(report(prepare(name, data_dir, **options_of(name, argv[2:]))))
  except (Exception, KeyboardInterrupt) as e:
    errors.end(e)


if __name__ == '__main__':
  app.run(main, flags_parser=parse)
