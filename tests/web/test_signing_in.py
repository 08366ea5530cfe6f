"""Signing in, accounts, tokens, languages and colours in a real browser."""

import re
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect
from served import PASSWORD


def test_the_first_account_leads(unfinished: Path, serve, visitor, shot, accessible) -> None:
    served = serve(unfinished)
    page = visitor(served).new_page()
    page.goto(served.setup)
    accessible(page)
    shot(page, "setup")
    page.get_by_label("Name").fill("dr.li")
    page.get_by_label("Password").fill("too short")
    page.get_by_role("button", name="Make the account").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    page.goto(f"{served.url}/accounts")
    page.get_by_role("heading", name="A new account").wait_for()
    accessible(page)
    page.get_by_role("button", name="Make the account").click()
    refusal = page.locator(".q-notification")
    expect(refusal).to_contain_text("1 to 64 letters")
    refusal.evaluate("e => Promise.all(e.getAnimations({subtree: true}).map((a) => a.finished))")
    accessible(page)
    close = refusal.get_by_role("button", name="Close")
    expect(close).to_have_css("color", "rgb(255, 255, 255)")  # on red; axe does not see it
    close.click()
    page.get_by_label("Name").fill("dr.wang")
    page.get_by_label("First password").fill(PASSWORD)
    page.get_by_label("Roles").last.click()
    page.get_by_role("option", name="annotator").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_have_count(0)
    page.get_by_role("button", name="Make the account").click()
    page.locator(".ax-name", has_text="dr.wang").wait_for()
    shot(page, "accounts")
    page.goto(f"{served.url}/audit")
    page.get_by_text("the log is as it was written").wait_for()
    page.get_by_role("cell", name="user.add").wait_for()
    accessible(page)
    shot(page, "audit")


def test_somebody_signs_in_and_out(office, visitor, shot, accessible) -> None:
    page = visitor(office).new_page()
    page.goto("/account")
    assert page.url.endswith("/login?next=/account")
    accessible(page)
    shot(page, "login")
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill("wrong wrong wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("wrong").wait_for()
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/account$"))
    page.locator(".ax-who summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/login"))
    page.goto("/account")
    assert "/login" in page.url


def test_a_token_is_shown_once_and_speaks(office, visitor, shot, accessible) -> None:
    page = visitor(office, "anna").new_page()
    page.goto("/account")
    page.get_by_label("What it is for").fill("night job")
    page.get_by_role("button", name="Make a token").click()
    key = page.locator(".ax-key").inner_text()
    accessible(page)
    shot(page, "account")
    headers = {"Authorization": f"Bearer {key}"}
    with office.client() as client:
        assert client.get("/api/me", headers=headers).json()["name"] == "anna"
        page.reload()
        assert key not in page.content()
        row = page.locator(".ax-row", has_text="night job")
        row.get_by_role("button", name="End").click()
        row.wait_for(state="detached")
        assert client.get("/api/me", headers=headers).status_code == 401


def test_a_password_is_changed(unfinished: Path, serve, populate, visitor) -> None:
    served = populate(serve(unfinished), anna="annotator")
    page = visitor(served, "anna").new_page()
    page.goto("/account")
    for old, said in (("wrong wrong wrong", "wrong"), (PASSWORD, "changed")):
        page.get_by_label("Old password").fill(old)
        page.get_by_label("New password").fill("another good one 77")
        page.get_by_role("button", name="Change the password").click()
        page.get_by_role("status").filter(has_text=said).wait_for()
    with served.client() as client:
        form = {"name": "anna", "password": PASSWORD}
        assert client.post("/login", data=form).status_code == 401
        form["password"] = "another good one 77"
        assert client.post("/login", data=form).status_code == 303


def test_language_and_colours_are_remembered(office, visitor, shot, accessible) -> None:
    page = visitor(office, "lead").new_page()
    page.goto("/accounts")
    page.locator(".ax-who summary").click()
    page.get_by_role("link", name="中文").click()
    page.get_by_role("heading", name="账户").first.wait_for()
    assert page.locator("html").get_attribute("lang") == "zh"
    page.locator(".ax-who summary").click()
    page.get_by_role("link", name="深色").click()
    page.get_by_role("heading", name="账户").first.wait_for()
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", paper)[:3])) < 150
    accessible(page)
    shot(page, "accounts-zh-dark")


def test_nobody_opens_what_their_roles_do_not_include(office, visitor) -> None:
    page = visitor(office, "reed").new_page()
    page.goto("/")
    ways = page.locator(".ax-ways a").all_inner_texts()
    assert ways == ["Read"]
    for path in ("/accounts", "/audit"):
        page.goto(path)
        page.get_by_text("Ask the study's lead for the role").wait_for()
        assert "anna" not in page.content()


def test_https_with_a_certificate(unfinished: Path, serve, tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key)]
    subprocess.run([*command, "-out", str(certificate)], check=True, capture_output=True)
    served = serve(unfinished, "--certificate", str(certificate), "--key", str(key), scheme="https")
    trusted = ssl.create_default_context(cafile=str(certificate))
    with httpx.Client(base_url=served.url, verify=trusted) as client:
        form = {"key": served.setup.split("key=")[1], "name": "lead", "password": PASSWORD}
        answer = client.post("/setup", data=form)
        assert answer.headers["set-cookie"].startswith("__Host-axilla=")
        assert "Secure" in answer.headers["set-cookie"]
        assert client.get("/api/me").json()["name"] == "lead"
    with pytest.raises(httpx.TransportError), httpx.Client() as plain:
        plain.get(served.url.replace("https", "http"))


def test_a_page_that_nobody_looks_at_closes_itself(office, visitor) -> None:
    context = visitor(office, "anna")
    page = context.new_page()
    page.clock.install()
    # On a page without a socket, which an hour in a second would confuse.
    page.goto("/login")
    page.evaluate(
        """async () => {
          document.head.insertAdjacentHTML("beforeend", "<meta name=idle-seconds content=3600>");
          await import("/assets/idle.js");
        }"""
    )
    for _ in range(12):  # an hour of work
        page.keyboard.press("Shift")
        with page.expect_response("**/api/me") as answer:
            page.clock.run_for(5 * 60 * 1000)
        assert answer.value.status == 200
    assert page.url.endswith("/login")
    page.clock.run_for(61 * 60 * 1000)
    page.wait_for_url(re.compile("/login.next="))


def test_pages_say_when_to_close(office, visitor) -> None:
    page = visitor(office, "anna").new_page()
    with page.expect_response("**/assets/idle.js"):
        page.goto("/account")
    assert page.locator('meta[name="idle-seconds"]').get_attribute("content") == "3600"
