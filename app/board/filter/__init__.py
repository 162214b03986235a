"""The filter language: which runs, in one line that people can read, type and send to each other.

    lora.r in (8, 16) and (eval/perplexity < 20 or tags = "keep")

    filter      = all { "or" all }
    all         = one { ["and"] one }                       what stands side by side must all hold
    one         = "not" one | "(" filter ")" | comparison | word
    comparison  = column ("=" | "!=" | "<" | "<=" | ">" | ">=" | "~") value
                | column ["not"] "in" "(" value { "," value } ")"
    value       = number [unit] | time | word | "text" | 'text' | true | false | null

A word alone is looked for in the name, the notes, the tags and the experiment's name. A column goes by its one name
(app.board.run_columns), `:best` behind a metric for the best value of its curve. `~` is true where the text is part of
the other, whatever the case. A comparison with what a run does not have is false, and `= null` finds it; `not` turns
true and false around, so it finds what has no value too.

tokens -> grammar (names, literals) -> syntax -> sql; terms changes a text by what is on it.
"""
