"""Signing in and accounts in a real browser, on both databases."""

from pathlib import Path


def test_the_first_account_leads(unfinished: Path, serve, visitor, shot) -> None:
    served = serve(unfinished)
    page = visitor(served).new_page()
    page.goto(served.setup)
    page.get_by_label("Name").fill("dr.li")
    page.get_by_label("Password").fill("correct horse battery staple")
    page.get_by_role("button", name="Make the account").click()
    page.goto(f"{served.url}/accounts")
    page.get_by_role("heading", name="A new account").wait_for()
    shot(page, "accounts")
    page.goto(f"{served.url}/audit")
    page.get_by_text("the log is as it was written").wait_for()
    page.goto(f"{served.url}/account")
    shot(page, "account")


def test_it_runs_on_postgresql(unfinished: Path, serve, department) -> None:
    served = serve(unfinished, "--database", department)
    with served.client() as client:
        assert client.get("/login").status_code == 503
