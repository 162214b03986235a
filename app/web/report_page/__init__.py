"""What the page of a report shows: the report as app.study has it, and how it is drawn.

view       everything that the templates are given
plots      quality against time and memory, as svg
"""
