"""What a browser without scripts does in the console."""

import re


class Browser:
    """What a browser does without scripts: follows links, sends forms as a page gives them."""

    def __init__(self, app):
        self.http = app.test_client()
        self.page = ""

    def log_in(self, token, **fields):
        self.see("/console/login")
        return self.http.post("/console/login", data={"token": token, **fields})

    def see(self, path, status=200):
        answer = self.http.get(path, base_url="https://localhost", follow_redirects=True)
        assert status == answer.status_code, answer.text
        self.page = answer.text
        return self.page

    def send(self, path, status=200, **fields):
        key = re.search(r'name="form_key" value="([0-9a-f]{64})"', self.page)
        data = {"form_key": key[1] if key else "", **fields}
        answer = self.http.post(
            path, data=data, base_url="https://localhost", follow_redirects=True
        )
        assert status == answer.status_code, answer.text
        self.page = answer.text
        return self.page
