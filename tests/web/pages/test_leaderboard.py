"""The home page and leaderboard: order, marks, differences, reasons, filters, and what is done with many runs."""

import csv
import html
import io
import re
from html.parser import HTMLParser

from sqlmodel import select

from app.db import Database, now
from app.models import Run, Worker
from app.settings import Settings
from app.status import RunStatus
from tests.web.pages.conftest import Browser


class Rows(HTMLParser):
    """The text of each row of the table, by run id, in the order of the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: dict[int, str] = {}
        self._run: int | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            run = dict(attrs).get("data-run")
            self._run = int(run) if run else None
        if tag == "svg" and ("class", "star") in attrs:
            self.handle_data("*")

    def handle_data(self, data: str) -> None:
        if self._run is not None and data.strip():
            self.rows[self._run] = f"{self.rows.get(self._run, '')} {data.strip()}".strip()


def row(html: str, name: str) -> str:
    return next(text for text in Rows(html).rows.values() if re.match(rf"\S* ?{re.escape(name)} ", text[0:] + " "))


def names(html: str) -> list[str]:
    return re.findall(r'data-run="\d+".*?class="name"><a href="/runs/\d+">([^<]+)</a>', html, re.DOTALL)


def test_runs_stand_by_perplexity_and_the_group_that_was_asked_something_else_apart(browser: Browser) -> None:
    page = browser.open("/")
    ranked = ["Exp 6", "Exp 5", "Baseline", "Exp 2", "Exp 3", "Exp 1", "Exp 4"]
    assert names(page)[:8] == [*ranked, "Baseline, split 7"]
    assert "asked something else: split seed 7 instead of 42" in page
    assert names(page)[8:] == ["Exp 7", "Exp 6, seed 43", "Exp 6, seed 44", "Batch 8, no 4-bit", "Rank 64"]


def test_the_best_of_each_metric_is_marked_and_differences_have_sign_and_certainty(browser: Browser) -> None:
    page = browser.open("/leaderboard")
    best, within_noise = row(page, "1 Exp 6"), row(page, "2 Exp 5")
    assert "* 17.8 −0.9 better" in best
    assert "* 0.44 +0.02 better" in best
    assert "≈ −0.5 within noise" in within_noise
    assert "*" not in within_noise


def test_a_run_that_was_asked_something_else_has_no_difference_to_the_baseline(browser: Browser) -> None:
    other = row(browser.open("/leaderboard"), "1 Baseline, split 7")
    assert "18.4 0.42 0.52" in other
    assert "better" not in other
    assert "worse" not in other


def test_a_setting_that_differs_from_the_baseline_is_bold_and_one_that_does_not_is_quiet(browser: Browser) -> None:
    page = browser.open("/leaderboard")
    assert '<td class="num set diff" data-label="epochs">5</td>' in page
    assert '<td class="num set same" data-label="r">8</td>' in page


def test_settings_without_a_column_are_named_where_they_differ(browser: Browser) -> None:
    assert "seed 43" in row(browser.open("/"), "Exp 6, seed 43")


def test_runs_without_a_result_say_why(browser: Browser) -> None:
    page = browser.open("/")
    assert "62 % training, 32 min left" in row(page, "running Exp 7")
    assert "Queued, next in line" in row(page, "queued Exp 6, seed 43")
    assert "Out of memory. Step 3 needed 16.4 GB" in row(page, "failed Batch 8, no 4-bit")
    assert "Cancelled at step 12 of 471" in row(page, "cancelled Rank 64")


def test_the_strip_names_what_runs_beside_the_first(browser: Browser, records: Database) -> None:
    assert "Beside it" not in browser.open("/live/strip")
    with records.writing() as session:
        second = session.exec(select(Run).where(Run.status == "queued")).first()
        assert second
        second.status, second.started_at, second.fraction = RunStatus.RUNNING, now(), 0.25
        session.commit()
    strip = re.sub(r"<[^>]+>|\s+", " ", browser.open("/live/strip"))
    assert re.search(r"Beside it +\S[^.]*25 %", strip)


def test_the_strip_names_what_runs_what_is_best_and_what_changed(browser: Browser) -> None:
    strip = re.sub(r"<[^>]+>|\s+", " ", browser.open("/live/strip"))
    strip = re.sub(r" +", " ", strip)
    assert "Exp 7 Running r 16 , α 32 , epochs 5" in strip
    assert "Step 487 / 785" in strip
    assert "Exp 6 epochs 5 , all else as Baseline Perplexity 17.8 from 45.2 −60.6 %" in strip
    assert "outside noise" in strip
    assert "1 measured, 2 more to come" in strip
    assert "Exp 6 was the new best" in strip
    assert "Batch 8, no 4-bit : out of memory" in strip


def test_while_nothing_runs_the_strip_says_who_is_ready(browser: Browser, records: Database) -> None:
    with records.writing() as session:
        run = session.get(Run, 9)
        assert run
        run.status = RunStatus.CANCELLED
        session.commit()
    assert "gpu0 is ready" in browser.open("/live/strip")
    with records.writing() as session:
        session.delete(session.get(Worker, "gpu0"))
        session.commit()
    assert "No worker is alive" in browser.open("/live/strip")


def test_what_the_page_holds_is_what_its_live_refresh_answers(browser: Browser) -> None:
    page = browser.open("/leaderboard?filter=Exp")
    assert browser.open("/live/board?filter=Exp") in page


def test_the_table_is_filtered_and_sorted_by_its_address(browser: Browser) -> None:
    assert names(browser.open("/leaderboard?filter=rank+higher")) == ["Exp 5"]
    assert names(browser.open("/leaderboard?status=failed")) == ["Batch 8, no 4-bit"]
    fastest = browser.open("/leaderboard?sort=train_seconds&status=completed")
    assert names(fastest)[0] == "Exp 4"
    assert 'aria-sort="ascending"><a href="/leaderboard?status=completed&amp;sort=-train_seconds">' in fastest


def test_a_filter_that_finds_nothing_says_so(browser: Browser) -> None:
    assert "No run matches." in browser.open("/leaderboard?filter=nothing+like+it")


def test_an_order_that_no_column_shows_is_said(browser: Browser) -> None:
    assert "Sorted by Seed, which has no column here" in browser.open("/leaderboard?sort=training.seed")


def test_an_address_that_sorts_by_nothing_known_is_a_sentence(browser: Browser) -> None:
    assert "There is no column fame" in browser.open("/leaderboard?sort=fame", status=422)


def test_text_from_people_is_text(browser: Browser, records: Database) -> None:
    with records.writing() as session:
        run = session.exec(select(Run).where(Run.name == "Exp 6")).one()
        run.name, run.notes, run.tags = "<script>x</script>", "<b>bold</b>", ["<i>tag</i>"]
        session.commit()
    page = browser.open("/")
    assert "<script>x" not in page
    assert "<b>bold" not in page
    assert "<i>tag" not in page


def test_many_runs_are_tagged_and_untagged_at_once(browser: Browser, records: Database) -> None:
    sent = browser.send("/leaderboard/selection", {"run": ["2", "3"], "wish": "tag", "tags": "keep, study 1"})
    assert sent.headers["location"] == "/leaderboard"
    assert {tuple(run.tags) for run in _runs(records, 2, 3)} == {("keep", "study 1")}
    browser.send("/leaderboard/selection", {"run": ["2"], "wish": "untag", "tags": "keep"})
    assert [run.tags for run in _runs(records, 2, 3)] == [["study 1"], ["keep", "study 1"]]


def test_runs_are_deleted_only_after_a_page_that_names_them(
    browser: Browser, records: Database, worked: Settings
) -> None:
    asked = browser.send("/leaderboard/selection", {"run": ["3", "4"], "wish": "delete", "filter": "Exp"})
    assert asked.status_code == 200
    assert "Delete these 2 runs?" in asked.text
    assert "Exp 1" in asked.text
    assert len(_runs(records, 3, 4)) == 2
    chosen = {"run": ["3", "4"], "wish": "delete for good", "filter": "Exp"}
    done = browser.send("/leaderboard/selection", chosen)
    assert done.headers["location"] == "/leaderboard?filter=Exp"
    assert _runs(records, 3, 4) == []
    assert not worked.run_dir(3).exists()


def test_deleting_a_baseline_says_what_becomes_of_its_experiment(browser: Browser) -> None:
    asked = browser.send("/leaderboard/selection", {"run": ["2"], "wish": "delete"})
    assert "TinyLlama medical, reference study loses its baseline" in asked.text
    browser.send("/leaderboard/selection", {"run": ["2"], "wish": "delete for good"})
    assert "Perplexity against Baseline, split 7" not in browser.open("/")


def test_a_run_that_has_not_ended_is_not_deleted(browser: Browser, records: Database) -> None:
    refused = browser.send("/leaderboard/selection", {"run": ["9"], "wish": "delete for good"})
    assert refused.status_code == 409
    assert "Not ended yet: Exp 7 (running)" in refused.text
    assert _runs(records, 9)


def test_nothing_selected_is_a_sentence(browser: Browser) -> None:
    refused = browser.send("/leaderboard/selection", {"wish": "delete"})
    assert refused.status_code == 422
    assert "No run is selected" in refused.text


def test_a_post_without_the_forms_token_changes_nothing(browser: Browser, records: Database) -> None:
    data = {"run": ["3"], "wish": "delete for good"}
    refused = browser.client.post("/leaderboard/selection", data=data, headers={"accept": "text/html"})
    assert refused.status_code == 403
    assert _runs(records, 3)


def test_before_the_first_run_the_page_says_what_to_do_and_how_the_machine_is(new_browser: Browser) -> None:
    page = new_browser.open("/")
    assert "Three steps to a first answer" in page
    assert 'href="/runs/new?preset=sample"' in page
    assert "none is alive: runs wait" in page


def _runs(records: Database, *ids: int) -> list[Run]:
    with records.reading() as session:
        found = (session.get(Run, run_id) for run_id in ids)
        return [run for run in found if run]


def test_seeds_of_a_configuration_can_be_one_row(browser: Browser) -> None:
    """A row of means with its spread; ticked, it stands for all of its runs."""
    single, grouped = browser.open("/leaderboard"), browser.open("/leaderboard?group=configuration")
    assert "/leaderboard?group=configuration" in single
    assert re.search(r"\d seeds? <a", grouped)
    assert 0 < len(names(grouped)) <= len(names(single))
    assert 'data-board="/live/board?group=configuration"' in grouped


def test_a_filter_that_cannot_be_read_is_kept_and_pointed_at(browser: Browser) -> None:
    page = browser.open("/leaderboard?filter=lora.rank+%3D+8+and+Exp", status=422)
    assert 'value="lora.rank = 8 and Exp"' in page
    assert "<mark>lora.rank</mark> = 8 and Exp" in page
    assert "did you mean lora.r" in page
    assert len(names(page)) == 13


def test_each_condition_of_the_filter_can_be_taken_away(browser: Browser) -> None:
    page = browser.open("/leaderboard?experiment=1&filter=lora.r+in+(4,+16)+Exp&status=completed")
    assert names(page) == ["Exp 5", "Exp 4"]
    for left in ("experiment=1&amp;status=completed&amp;filter=Exp", "filter=lora.r+in+%284%2C+16%29+Exp"):
        assert f"{left}" in page
    assert page.count('class="chip"') == 4


def test_the_menu_adds_a_condition_to_those_that_hold(browser: Browser) -> None:
    asked = "/leaderboard?filter=Exp&sort=-bleu&add=eval/perplexity&operator=%3C&value=20"
    added = browser.client.get(asked, headers={"accept": "text/html"}, follow_redirects=False)
    assert added.headers["location"] == "/leaderboard?filter=Exp+and+eval%2Fperplexity+%3C+20&sort=-bleu"
    assert names(browser.open(added.headers["location"])) == ["Exp 6", "Exp 5", "Exp 2"]
    senseless = browser.open("/leaderboard?add=lora.r&operator=%3C&value=high", status=422)
    assert 'value="lora.r &lt; high"' in senseless


def test_any_columns_are_shown_in_the_order_of_the_address(browser: Browser) -> None:
    page = browser.open("/leaderboard?columns=tags,eval/perplexity:best,train_seconds,data.dataset,training.seed")
    heads = re.findall(r'sort=[^"]*">([^<]+)', page.split("<thead>")[1].split("</thead>")[0])
    assert heads == ["Run", "Tags", "Perplexity", "Training", "Data set", "Seed"]
    assert '<td class="word set same" data-label="data set"><span>medical_pairs</span></td>' in page
    assert "17.8" in row(page, "1 Exp 6")


def test_the_column_form_is_answered_with_an_address_in_the_usual_order(browser: Browser) -> None:
    asked = "/leaderboard?columns=name&columns=name&columns=notes&columns=lora.r&columns=eval/bleu&filter=Exp"
    sent = browser.client.get(asked, headers={"accept": "text/html"}, follow_redirects=False)
    assert sent.headers["location"] == "/leaderboard?filter=Exp&columns=name%2Clora.r%2Ceval%2Fbleu%2Cnotes"


def test_runs_without_a_result_say_why_where_no_column_has_room_for_it(browser: Browser) -> None:
    page = browser.open("/leaderboard?columns=lora.r,notes")
    assert "Queued, next in line" in row(page, "queued Exp 6, seed 43")


def test_a_pinned_run_is_what_all_rows_are_seen_against(browser: Browser) -> None:
    page = browser.open("/leaderboard?baseline=7")
    assert "≈ −0.4 within noise" in row(page, "1 Exp 6")
    assert "baseline" in row(page, "2 Exp 5")
    assert '<td class="num set diff" data-label="r">8</td>' in page
    assert "+4.3 worse" in row(page, "7 Exp 4")


def test_a_pinned_run_that_was_deleted_is_said_and_the_table_is_as_without_it(browser: Browser) -> None:
    page = browser.open("/leaderboard?baseline=99")
    assert "Run 99, which was pinned, is not there any more" in page
    assert "−0.9 better" in row(page, "1 Exp 6")
    assert "a number" in browser.open("/leaderboard?baseline=Exp", status=422)


def test_ticked_runs_are_compared_beside_the_pinned_one(browser: Browser) -> None:
    chosen: dict[str, object] = {"run": ["8", "7 6"], "wish": "compare"}
    assert browser.send("/leaderboard/selection", chosen).headers["location"] == "/compare?runs=8,7,6"
    beside = browser.send("/leaderboard/selection", {"run": ["8"], "wish": "compare", "baseline": "2"})
    assert beside.headers["location"] == "/compare?runs=2,8&baseline=2"
    alone = browser.send("/leaderboard/selection", {"run": ["8"], "wish": "compare"})
    assert alone.status_code == 422
    assert "tick a second one" in alone.text


def test_a_view_is_saved_found_under_its_name_and_deleted(browser: Browser) -> None:
    shown = {"view": "Small ranks", "filter": "lora.r < 16", "sort": "-bleu", "columns": "name,lora.r"}
    saved = browser.send("/leaderboard/views", shown)
    address = saved.headers["location"]
    assert address == "/leaderboard?filter=lora.r+%3C+16&sort=-bleu&columns=name%2Clora.r"
    page = browser.open(address)
    assert re.search(r'aria-current="true">Small ranks</a>', page)
    assert not re.search(r'aria-current="true">Small ranks</a>', browser.open("/leaderboard"))
    view = re.search(r"/leaderboard/views/(\d+)/delete", page)
    assert view
    gone = browser.send(f"/leaderboard/views/{view[1]}/delete", {"filter": "Exp"})
    assert gone.headers["location"] == "/leaderboard?filter=Exp"
    assert "Small ranks" not in browser.open("/leaderboard")
    assert browser.send("/leaderboard/views", {"view": " "}).status_code == 422


def test_the_table_is_exported_as_it_is_filtered_and_sorted(browser: Browser) -> None:
    page = browser.open("/leaderboard?filter=lora.r+in+(4,+16)&columns=lora.r,bleu")
    link = re.search(r'href="(/leaderboard.csv[^"]*)"', page)
    assert link
    answer = browser.client.get(html.unescape(link[1]))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    head, *lines = csv.reader(io.StringIO(answer.text))
    assert head == ["group", "rank", "id", "name", "experiment", "status", "lora.r", "eval/bleu"]
    assert [line[3] for line in lines] == ["Exp 5", "Exp 4", "Exp 7"]
    assert browser.client.get("/leaderboard.csv?sort=fame").status_code == 422
