"""Trains the runs behind tables and figures of the papers, and compares.

main.py has the command, runs.py the runs of a table, markdown.py the text of a
table, and papers/ the numbers of the papers and the configs of the runs.
"""
