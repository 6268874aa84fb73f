"""Uses a trained system on files.

  encode       pictures -> codes, with their names
  decode       codes -> pictures
  reconstruct  pictures -> what is decoded from their codes
  sample       pictures decoded from --n codes of the prior
  interpolate  pictures -> --steps on the way from each to the next

  python -m swae_jax.apply encode --workdir=RUN --input=photos --output=z.npz
  python -m swae_jax.apply sample --model=FILE --n=64 --output=grid.png

Pictures come from a folder, a zip file or one picture, or as an array from a
.npz ('images', or the only array) or .npy file.  They go, by the ending of
--output, into one picture (.png), an array (.npz: 'images' float32, 'names') or
a folder of PNG files.  Codes are in .npz ('codes', 'names') or .npy files.
"""
import pathlib

from swae_jax import errors
from swae_jax.commands import cli, image_files
from swae_jax.data import folder
from swae_jax.data.formats import pictures


def read_images(model, flags):
  """(images [N, H, W, C], names) of --input."""
  if flags.input.suffix.lower() in image_files.ARRAYS:
    return image_files.read_array(flags.input, 'images')
  how = image_files.resizing(model.saved.about['config'], model.shape, flags.crop)
  return image_files.read_pictures(flags.input, model.shape, how)


def encode(model, flags):
  """Codes of pictures."""
  x, names = read_images(model, flags)
  z = model.encode(x)
  image_files.write_npz(flags.output, codes=z, names=names)
  return f'{flags.output}: {len(z)} codes of {model.width}'


def decode_codes(model, flags):
  """Pictures of codes."""
  z, names = image_files.read_array(flags.input, 'codes')
  return image_files.write_images(flags.output, model.decode(z), names)


def reconstruct(model, flags):
  """Pictures of the codes of pictures."""
  x, names = read_images(model, flags)
  return image_files.write_images(flags.output, model.reconstruct(x), names)


def sample(model, flags):
  """Pictures of codes of the prior."""
  x = model.sample(flags.n, flags.seed)
  return image_files.write_images(flags.output, x, image_files.numbered(flags.n))


def interpolate(model, flags):
  """Pictures on the way from each to the next, a row for each pair."""
  x, _ = read_images(model, flags)
  if len(x) < 2:
    raise errors.UserError(f'{flags.input} holds one picture: between two at '
                           'least can be interpolated')
  x = model.interpolate(x[:-1], x[1:], flags.steps)
  names = [f'{name}-{i:02d}' for name in image_files.numbered(len(x))
           for i in range(flags.steps)]
  return image_files.write_images(
      flags.output, x.reshape(-1, *model.shape), names, columns=flags.steps)


COMMANDS = {'encode': encode, 'decode': decode_codes, 'sample': sample,
            'reconstruct': reconstruct, 'interpolate': interpolate}
OF_PICTURES = ('encode', 'reconstruct', 'interpolate')


def count(text):
  """A number of things."""
  if int(text) < 1:
    raise ValueError
  return int(text)


def make_parser():
  """The flags of each command."""
  parser = cli.parser(__doc__, prog='python -m swae_jax.apply')
  commands = parser.add_subparsers(dest='command', required=True,
                                   metavar='|'.join(COMMANDS))
  for name, do in COMMANDS.items():
    flags = commands.add_parser(name, help=do.__doc__, allow_abbrev=False)
    cli.add_model(flags)
    path = {'type': pathlib.Path, 'required': True, 'metavar': 'PATH'}
    flags.add_argument('--output', **path)
    if name == 'sample':
      flags.add_argument('--n', type=count, default=64, help='how many (64)')
      flags.add_argument('--seed', type=int, default=0, help='of the codes (0)')
    else:
      flags.add_argument('--input', **path)
    if name in OF_PICTURES:
      flags.add_argument('--crop', choices=folder.CROPS, help=(
          'how to resize pictures: the largest square in the middle, or all of '
          'it squeezed; if not given, as for training on a folder or CelebA'))
    if name == 'interpolate':
      flags.add_argument('--steps', type=count, default=8,
                         help='images in a row, with both ends (8)')
  return parser


def check(flags, parser):
  """Refuses paths that cannot do, before anything is computed."""
  if flags.command == 'encode':
    if flags.output.suffix != '.npz':
      parser.error(f'--output={flags.output}: codes go into .npz')
  elif flags.output.suffix not in ('', '.png', '.npz'):
    if not flags.output.is_dir():
      parser.error(f'--output={flags.output}: end it in .png or .npz, or leave '
                   'the ending out for a folder')
  if 'input' not in flags:
    return
  if not flags.input.exists():
    errors.end(errors.MissingData(f'--input={flags.input}: it is not there'))
  if flags.input.resolve() == flags.output.resolve():
    parser.error('--input and --output are the same')
  kinds = image_files.ARRAYS
  if flags.command in OF_PICTURES:
    kinds += (*pictures.SUFFIXES, '.zip')
  if flags.input.suffix.lower() not in kinds and not (
      flags.input.is_dir() and flags.command in OF_PICTURES):
    parser.error(f'--input={flags.input}: it must be '
                 f'{"a folder, or " if flags.command in OF_PICTURES else ""}'
                 f'one of {", ".join(kinds)}')


def main(argv=None):
  """Carries out the command that the first argument names."""
  parser = make_parser()
  flags = parser.parse_args(argv)
  check(flags, parser)
  cli.run(lambda *args: print(COMMANDS[flags.command](*args)), flags)


if __name__ == '__main__':
  main()
