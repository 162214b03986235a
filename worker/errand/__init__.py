"""What errands do, a module a kind, in a process that knows neither queue nor database: `run(request, emit) -> answer`.

`request` holds what was asked for and the paths that the worker added; `emit` tells how far it is, as often as it
likes: `emit({...})` replaces what is known so far.
"""
