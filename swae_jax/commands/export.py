"""Writes a trained system to files that stand alone.

  python -m swae_jax.export --workdir=RUN --output=model.safetensors
  python -m swae_jax.export --workdir=RUN --output=model.stablehlo

*.safetensors is one file with all variables, bit for bit, the config and what
the system must know of images: swae_jax.load takes it in place of the run.

*.stablehlo is a folder of functions that need jax alone, of any number of
rows, for cpu, cuda and tpu, with the weights in them:

  encode.bin  images float32 [B, H, W, C] -> codes [B, D]; bytes times 1 / 255
  decode.bin  codes float32 [B, D] -> images float32 [B, H, W, C]
  sample.bin  a key for each image uint32 [B, 2] -> images float32 [B, H, W, C]
  about.json  the config, and what images it takes

  encode = jax.export.deserialize(open('encode.bin', 'rb').read())
  z = encode.call(x)

Their convolutions have the form 'plain', since one form must do everywhere;
swae_jax.load chooses by the device, which is faster on a CPU.
"""
import importlib
import json
import pathlib

from swae_jax import errors
from swae_jax.commands import cli

PLATFORMS = ('cpu', 'cuda', 'tpu')


def need(package):
  """Refuses to begin without a package that is not always there."""
  try:
    importlib.import_module(package)
  except ImportError:
    raise errors.UserError(f'this export needs {package}: pip install '
                           f"{package}, or '.[export]' for all") from None


def write_safetensors(model, path):
  """One file for swae_jax.load, replaced in one move."""
  need('safetensors')
  import numpy as np
  from safetensors import numpy as safetensors

  from swae_jax import model as model_lib
  from swae_jax.workdir import digests, files
  arrays = {name: np.asarray(x, order='C') for name, x in
            digests.named(model.saved.variables).items()}
  text = json.dumps(model.saved.about)
  files.replace(path, safetensors.save(
      arrays, {'swae_jax': text, 'sha256': model_lib.seal(text, arrays)}))


def functions(model):
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


def write_stablehlo(model, path):
  """A folder of functions for jax.export.deserialize."""
  need('flatbuffers')
  import jax
  from jax import export

  from swae_jax.workdir import files
  rows, = export.symbolic_shape('b')
  for name, (function, dtype, shape) in functions(model).items():
    x = jax.ShapeDtypeStruct((rows, *shape), dtype)
    made = export.export(jax.jit(function), platforms=PLATFORMS)(x)
    files.replace(path / f'{name}.bin', made.serialize())
  files.write_json(path / 'about.json', model.saved.about)


WRITERS = {'.safetensors': write_safetensors, '.stablehlo': write_stablehlo}


def main(argv=None):
  """Exports the system that the flags name."""
  parser = cli.parser(__doc__, prog='python -m swae_jax.export')
  cli.add_model(parser)
  parser.add_argument('--output', required=True, type=pathlib.Path,
                      metavar='PATH', help='ends in .safetensors or .stablehlo')
  flags = parser.parse_args(argv)
  if flags.output.suffix not in WRITERS:
    parser.error(f'--output={flags.output}: end it in {" or ".join(WRITERS)}')

  def write(model, flags):
    WRITERS[flags.output.suffix](model, flags.output)
    print(f'{flags.output}: {model}')

  cli.run(write, flags)


if __name__ == '__main__':
  main()
