"""The training library: one call, `finetune`, takes a RunConfig, a model folder and a file of rows to a result.

It knows no queue and no database; what it has to say goes to a Reporter.

pipeline      the run: preparing, baseline, training, evaluating, saving
preparing     settings checked, rows as tokens, base loaded, keys made
selection     which rows: split and leaks       turns, chat    a row as text
tokens        a row as ids, shortened to fit    row_tokens, token_cache   kept for the next run
plan          which rows make each step         batches        rows joined for a forward pass
model         the base, loaded and checked      quantization   4-bit and 8-bit layers against a reference
adapter       LoRA                              writers        the form of a model that generates
running       the training stage                training       the loop
learner       one optimizer step                optimizer      optimizer and schedule
checkpoint    state on disk                     tree           nested state as JSON and tensors
whole         folders that are whole or not there            randomness     what dropout draws from next
offer         what a training that diverged still has to give
evaluation    perplexity, BLEU, ROUGE-L         likelihood, generation, scoring   the three it is made of
greedy, lines answers, which rows leave as soon as they have ended   cutting   where that changes nothing
baseline      the base's stored measurement     keys           what may be ranked with what
memory        peak and mean                     device         where and in which type
results       the API's shape                   artifacts      the files that remain
packing, paths   the fast ways that are exact with the model at hand   attention, head   what they compute by
fused_lora, dropout, compiling   layer and adapter in few operations    recomputation   only where memory is short
unread        numbers that stay on the device until they are looked at   environment   what it takes to repeat a run
answering     a prompt given to base and adapters    streaming      one answer, told token by token
saved_adapter read back, and put on a base      merging        into the base, as one model in 16 bits
rescoring     a merged model against its run    model_card, how_to_load   what goes with it, for its readers
errors        what a person can act on          reporter, pulse   who listens, and that it is told
"""
