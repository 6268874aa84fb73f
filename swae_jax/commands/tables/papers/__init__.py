"""The tables and figures of the papers that `swae tables` can make."""
from swae_jax.commands.tables.papers import (
    swae_figure5,
    swae_figure15,
    swae_table1,
    swae_table2,
    swae_table3,
    wae_table1,
)

TABLES = {
    'swae_figure5': swae_figure5.get_table,
    'swae_figure15': swae_figure15.get_table,
    'swae_table1': swae_table1.get_table,
    'swae_table2': swae_table2.get_table,
    'swae_table3': swae_table3.get_table,
    'wae_table1': wae_table1.get_table,
}
