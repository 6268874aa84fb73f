"""Tables and figures of the papers, made anew.

main.py has the command, runs.py the runs behind a table, markdown.py the table
itself, and papers/ the figures of the papers and the runs to set beside them.
"""
