"""The Inception network of the FID, its weights and their sources.

  network.py  the network in Flax, and the layers that give features
  weights.py  finds, checks, reads and writes the file of the weights
  sources.py  reads files of other projects, to convert their weights

The network is the one that Heusel et al. 2017 use for the FID: the TensorFlow
graph `inception-2015-12-05` of Szegedy et al. 2016.  Its weights are not part
of this package.  They come from one of two conversions of that graph, equal in
value, both under the Apache License 2.0:

  pt_inception-2015-12-05-6726825d.pth  https://github.com/mseitzer/pytorch-fid
  inception_v3_weights_fid.pickle       https://github.com/matthias-wright/jax-fid

`swae prepare inception --from=FILE --data_dir=DIR` converts either.
"""
