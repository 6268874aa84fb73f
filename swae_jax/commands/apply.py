"""Uses a trained system on files.

  encode       pictures to codes, with the names of the pictures
  decode       codes to pictures
  reconstruct  pictures to codes and back to pictures
  sample       pictures decoded from --n codes that are drawn from the prior
  interpolate  --steps pictures between each picture and the next

  swae apply encode --workdir=RUN --input=photos --output=codes.npz
  swae apply decode --workdir=RUN --input=codes.npz --output=pictures/
  swae apply sample --model=FILE --n=64 --output=grid.png

Pictures in --input are a folder, a zip file, one picture or an array.  Codes in
--input are an array.  An array is a .npy file, or a .npz file that holds
'images' or 'codes', or only one array.

Codes in --output are a .npz file with 'codes' and 'names'.  The ending of
--output chooses how pictures are written: .png is one picture of all, .npz is
an array ('images' float32, 'names'), and no ending is a folder of PNG files.

swae apply ACTION --help, such as swae apply sample --help, describes the flags.
"""
import argparse
import math
import pathlib
from typing import TYPE_CHECKING

import numpy as np

from swae_jax import errors
from swae_jax.commands import cli, image_files
from swae_jax.data import folder
from swae_jax.data.formats import pictures

if TYPE_CHECKING:  # A mistake in a flag shows before jax is loaded.
  from swae_jax.model import Model


def _read(model: 'Model', flags: argparse.Namespace
          ) -> tuple[np.ndarray, list[str]]:
  """The pictures of --input [N, H, W, C], and their names."""
  if flags.input.suffix.lower() in image_files.ARRAYS:
    return image_files.read_array(flags.input, 'images')
  resize = image_files.resizing(
      model.saved.about['config'], model.shape, flags.crop)
  x, names, read = image_files.read_pictures(flags.input, model.shape, resize)
  for line in read[1:]:  # Converted pictures, then those left out.
    print(f'{errors.printable(flags.input)}: {errors.printable(line)}')
  return x, names


def encode(model: 'Model', flags: argparse.Namespace) -> str:
  """Writes the codes of pictures."""
  x, names = _read(model, flags)
  z = model.encode(x)
  image_files.write_npz(flags.output, codes=z, names=names)
  return f'{flags.output}: {len(z)} codes of {model.width} numbers'


def decode(model: 'Model', flags: argparse.Namespace) -> str:
  """Writes the pictures of codes."""
  z, names = image_files.read_array(flags.input, 'codes')
  return image_files.write_images(flags.output, model.decode(z), names)


def reconstruct(model: 'Model', flags: argparse.Namespace) -> str:
  """Encodes pictures, decodes the codes and writes the decoded pictures."""
  x, names = _read(model, flags)
  return image_files.write_images(flags.output, model.reconstruct(x), names)


def _check_memory(model: 'Model', flag: str, count: int) -> None:
  """Refuses more pictures than the memory of this machine holds."""
  need, there = 4 * count * math.prod(model.shape), model.memory
  if there and need > there:
    raise errors.UserError(
        f'--{flag}: {count} pictures need {need / 2**30:,.1f} GiB, and this '
        f'machine has {there / 2**30:,.1f}; give a smaller --{flag}')


def sample(model: 'Model', flags: argparse.Namespace) -> str:
  """Writes pictures that are decoded from codes drawn from the prior."""
  _check_memory(model, 'n', flags.n)
  x = model.sample(flags.n, flags.seed)
  return image_files.write_images(
      flags.output, x, image_files.numbered(flags.n))


def interpolate(model: 'Model', flags: argparse.Namespace) -> str:
  """Writes a row of pictures from each picture of --input to the next."""
  x, _ = _read(model, flags)
  if len(x) < 2:
    raise errors.UserError(
        f'--input={flags.input}: interpolation needs at least two pictures, '
        f'found {len(x)}')
  _check_memory(model, 'steps', flags.steps * (len(x) - 1))
  x = model.interpolate(x[:-1], x[1:], flags.steps)
  names = [f'{name}-{i:02d}' for name in image_files.numbered(len(x))
           for i in range(flags.steps)]
  return image_files.write_images(
      flags.output, x.reshape(-1, *model.shape), names, columns=flags.steps)


ACTIONS = {'encode': encode, 'decode': decode, 'sample': sample,
           'reconstruct': reconstruct, 'interpolate': interpolate}
TAKE_PICTURES = ('encode', 'reconstruct', 'interpolate')


def make_parser() -> cli.Parser:
  """The flags of each action."""
  parser = cli.parser(__doc__, prog='swae apply')
  actions = parser.add_subparsers(dest='action', required=True,
                                  metavar='|'.join(ACTIONS))
  for name, do in ACTIONS.items():
    flags = actions.add_parser(name, description=do.__doc__,
                               allow_abbrev=False)
    cli.add_model(flags)
    flags.add_argument('--output', type=cli.path, required=True, metavar='PATH',
                       help='.npz' if name == 'encode' else
                       '.png, .npz, or a folder')
    if name == 'sample':
      flags.add_argument('--n', type=cli.whole(1), default=64,
                         help='number of pictures (default 64)')
      flags.add_argument('--seed', type=cli.SEED, default=0,
                         help='seed of the drawn codes (default 0)')
    else:
      flags.add_argument('--input', type=cli.path, required=True,
                         metavar='PATH', help='.npz, .npy'
                         + ', .zip, a picture, or a folder of pictures' * (
                             name in TAKE_PICTURES))
    if name in TAKE_PICTURES:
      flags.add_argument('--crop', choices=folder.CROPS, help=(
          'how to resize pictures of another size: centre takes the largest '
          'square in the middle, none squeezes the whole picture; by default '
          'as in training'))
    if name == 'interpolate':
      flags.add_argument('--steps', type=cli.whole(2), default=8,
                         help='pictures in a row, ends included (default 8)')
  return parser


def check(flags: argparse.Namespace, parser: cli.Parser) -> None:
  """Refuses unsuitable paths before anything is computed."""
  _check_output(flags.action, flags.output, parser)
  cli.check_output(flags.output)
  if 'input' not in flags:
    return
  if not (flags.input.is_file() or flags.input.is_dir()):
    raise errors.MissingData(f'--input={flags.input}: it is not there, or is '
                             'no plain file')
  if flags.input.resolve() == flags.output.resolve():
    parser.error('--input and --output are the same')
  pictured = flags.action in TAKE_PICTURES
  kinds = image_files.ARRAYS + (
      (*pictures.SUFFIXES, '.zip') if pictured else ())
  if flags.input.suffix.lower() not in kinds and not (
      pictured and flags.input.is_dir()):
    parser.error(f'--input={flags.input}: it must be '
                 f'{"a folder, or " if pictured else ""}one of '
                 f'{", ".join(kinds)}')


def _check_output(action: str, output: pathlib.Path, parser: cli.Parser):
  if action == 'encode' and output.suffix != '.npz':
    parser.error(f'--output={output}: codes go into .npz')
  if output.suffix in ('.png', '.npz'):
    if output.is_dir():
      parser.error(f'--output={output}: it is a folder')
  elif not output.is_dir() and (output.suffix or output.exists()):
    parser.error(f'--output={output}: end it in .png or .npz, or leave the '
                 'ending out for a folder')


def main(argv: list[str]) -> None:
  """Carries out the action that the first argument names."""
  parser = make_parser()
  flags = parser.parse_args(argv)
  check(flags, parser)
  with cli.user_paths():
    print(errors.printable(ACTIONS[flags.action](cli.load(flags), flags),
                           lines=True))
