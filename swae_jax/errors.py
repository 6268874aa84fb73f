"""What the user can put right: one line that says what, where, what to do."""


class UserError(Exception):
  """A request that cannot be carried out; exit code 2."""
  code = 2


class MissingData(UserError):
  """A file that the request needs is not there; exit code 66."""
  code = 66


class DamagedData(UserError):
  """A file is there, but its content is not what it must be; exit code 65."""
  code = 65


class Diverged(UserError):
  """The loss is not finite; exit code 70."""
  code = 70
