"""Writes a trained system to a file, or a folder, for use elsewhere.

  swae export --workdir=RUN --output=model.safetensors
  swae export --workdir=RUN --output=model.stablehlo

*.safetensors is one file: all variables, bit for bit, the config, and the shape
and range of the images.  swae_jax.load and swae apply take the file in place of
the workdir.

*.stablehlo is a folder of functions that contain the weights.  The functions
need only jax, take any number of rows and run on cpu, cuda and tpu:

  encode.bin  images float32 [B, H, W, C] -> codes [B, D]
              (divide uint8 images by 255 first)
  decode.bin  codes float32 [B, D] -> images float32 [B, H, W, C]
  sample.bin  keys uint32 [B, 2], one for each image -> images float32
  about.json  the config, and the shape and range of the images
  SHA256SUMS  digests of these files: sha256sum -c SHA256SUMS checks them

  encode = jax.export.deserialize(bytearray(open('encode.bin', 'rb').read()))
  z = encode.call(x)

The functions use the same form of convolution on all platforms.  swae_jax.load
chooses the form by the device, and is faster on a CPU.
"""
from collections.abc import Callable
import hashlib
import json
import pathlib
from typing import TYPE_CHECKING, Any

from swae_jax import errors
from swae_jax.commands import cli

if TYPE_CHECKING:  # A mistake in a flag shows before jax is loaded.
  from swae_jax.model import Model

PLATFORMS = ('cpu', 'cuda', 'tpu')


def write_safetensors(model: 'Model', path: pathlib.Path) -> None:
  """Writes one file for swae_jax.load, whole or not at all."""
  import numpy as np
  from safetensors import numpy as safetensors

  from swae_jax.training import saved
  from swae_jax.workdir import digests, files
  arrays = {name: np.asarray(x, order='C') for name, x in
            digests.named(model.saved.variables).items()}
  text = json.dumps(model.saved.about)
  files.replace(path, safetensors.save(
      arrays, {'swae_jax': text, 'sha256': saved.seal(text, arrays)}))


def functions(model: 'Model') -> dict[str, tuple[Callable, Any, tuple]]:
  """{name: (function, type and shape of a row of its argument)}."""
  import jax
  import jax.numpy as jnp

  from swae_jax.networks import convolution
  system = model.saved.system
  variables = jax.device_put(model.saved.variables)

  def encode(x):
    with convolution.form('plain'):
      return system.encode(variables, x)

  def decode(z):
    with convolution.form('plain'):
      return system.decode(variables, z)

  def draw(key):
    key = jax.random.wrap_key_data(key, impl='threefry2x32')
    with convolution.form('plain'):
      return system.sample(variables, key, 1)[0]

  def sample(keys):
    return decode(jax.vmap(draw)(keys))

  return {'encode': (encode, jnp.float32, model.shape),
          'decode': (decode, jnp.float32, (model.width,)),
          'sample': (sample, jnp.uint32, (2,))}


def write_stablehlo(model: 'Model', path: pathlib.Path) -> None:
  """Writes a folder of functions for jax.export.deserialize."""
  import flatbuffers  # noqa: F401  # jax.export needs it, and fails late.
  import jax
  from jax import export

  from swae_jax.workdir import files
  rows, = export.symbolic_shape('b')
  about = json.dumps(model.saved.about, indent=2) + '\n'
  made = {'about.json': about.encode()}
  for name, (function, dtype, shape) in functions(model).items():
    x = jax.ShapeDtypeStruct((rows, *shape), dtype)
    made[f'{name}.bin'] = bytes(export.export(
        jax.jit(function), platforms=PLATFORMS)(x).serialize())
  made['SHA256SUMS'] = ''.join(
      f'{hashlib.sha256(content).hexdigest()}  {name}\n'
      for name, content in made.items()).encode()
  for name, content in made.items():
    files.replace(path / name, content)


WRITERS = {'.safetensors': write_safetensors, '.stablehlo': write_stablehlo}


def main(argv: list[str]) -> None:
  """Exports the system that the flags name."""
  parser = cli.parser(__doc__, prog='swae export')
  cli.add_model(parser)
  parser.add_argument('--output', required=True, type=cli.path, metavar='PATH',
                      help='ends in .safetensors or .stablehlo')
  flags = parser.parse_args(argv)
  if flags.output.suffix not in WRITERS:
    parser.error(f'--output={flags.output}: end it in {" or ".join(WRITERS)}')
  if flags.output.is_dir() != (flags.output.suffix == '.stablehlo') and (
      flags.output.exists()):
    parser.error(f'--output={flags.output}: it is '
                 f'{"a folder" if flags.output.is_dir() else "no folder"}')
  cli.check_output(flags.output)
  with cli.user_paths():
    model = cli.load(flags)
    WRITERS[flags.output.suffix](model, flags.output)
  print(errors.printable(f'{flags.output}: {model}'))
