"""The leaderboard's addresses."""

from app.web.board_page.query import BoardQuery


def test_what_is_as_usual_is_not_in_the_address() -> None:
    assert BoardQuery().link() == "/leaderboard"
    assert BoardQuery.read({"sort": "eval/perplexity", "filter": " "}).text == ""


def test_a_changed_filter_keeps_the_others_and_starts_at_the_first_row() -> None:
    query = BoardQuery.read({"experiment": "1", "filter": "a b", "cursor": "200", "unknown": "x"})
    assert query.link(status="failed") == "/leaderboard?experiment=1&status=failed&filter=a+b"


def test_a_head_sorts_best_first_and_then_the_other_way_round() -> None:
    assert BoardQuery().sort_link("eval/bleu") == "/leaderboard?sort=-eval%2Fbleu"
    assert BoardQuery(sort="-eval/bleu").sort_link("eval/bleu") == "/leaderboard?sort=eval%2Fbleu"
    assert BoardQuery().sort_link("eval/perplexity") == "/leaderboard?sort=-eval%2Fperplexity"


def test_the_sorted_column_says_its_direction_under_either_of_its_names() -> None:
    assert BoardQuery(sort="-bleu").direction("eval/bleu") == "descending"
    assert BoardQuery(sort="train_seconds").direction("train_seconds") == "ascending"
    assert BoardQuery().direction("train_seconds") is None


def test_values_at_their_best_are_columns_of_their_own_and_sort_the_table_too() -> None:
    best = BoardQuery(columns="name,lora.r,eval/bleu,train/grad_norm", sort="-eval/bleu").values_link("best")
    assert "columns=name%2Clora.r%2Ceval%2Fbleu%3Abest%2Ctrain%2Fgrad_norm" in best
    assert "sort=-eval%2Fbleu%3Abest" in best
    assert BoardQuery(columns="name,eval/bleu:best").aggregate == "best"
    assert BoardQuery(columns="eval/loss,eval/bleu:best").aggregate == "last and best"
    assert BoardQuery(columns=BoardQuery().columns).values_link("last") == "/leaderboard"


def test_a_form_sends_all_of_the_state_that_it_does_not_change() -> None:
    query = BoardQuery(filter="Exp", sort="-bleu", cursor="50", baseline="7")
    assert query.state("filter", "cursor") == {"sort": "-bleu", "baseline": "7"}
