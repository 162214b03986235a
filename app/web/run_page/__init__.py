"""What the page of a run shows, part by part. Reads rows and files, never writes.

progress      stages, and the figures of a run that is under way
outcome       base against fine-tuned, memory and time, how it differs from its baseline
remedies      what to change after a failure
answers       held-out rows with the words that ROUGE-L counts
course        how it went: `curves` of the losses, `small_charts` of the rest, the `values` behind them, the `log`
reproduce     the commands that repeat it
view          all of it, as the templates are given it
"""
