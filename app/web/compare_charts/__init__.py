"""The charts of a comparison: what a script draws, and the tables behind it that need none.

view         all of them, as the template and the script are given them
curves       which series are drawn, and of which runs
columns      settings, results and costs as axes: of parallel coordinates and of the scatter
factors      what each setting does, as rows that are joined in a chart and as a table
points       a series point by point: as a table, and as a file
"""
