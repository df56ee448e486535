import pytest

from gateway.config import Face, LogFormat, Settings, describe, load
from gateway.domain.errors import ConfigurationError

STORE = {"GATEWAY_STORE_URL": "redis://store:6379/0"}


def faults(environ):
    with pytest.raises(ConfigurationError) as caught:
        load(environ)
    return caught.value.faults


def test_store_url_alone_suffices():
    settings = load(STORE)

    assert settings == Settings(store_url=STORE["GATEWAY_STORE_URL"], queue_url=settings.store_url)


def test_every_setting_is_read():
    settings = load(
        STORE
        | {
            "GATEWAY_QUEUE_URL": "unix:///run/queue",
            "GATEWAY_SHARDS": "16",
            "GATEWAY_FACES": "webhooks",
            "GATEWAY_MAX_BODY": "65536",
            "GATEWAY_LOG_FORMAT": "console",
            "UNRELATED": "x",
        }
    )

    assert (
        Settings(
            store_url=STORE["GATEWAY_STORE_URL"],
            queue_url="unix:///run/queue",
            shards=16,
            faces=frozenset({Face.WEBHOOKS}),
            max_body=65536,
            log_format=LogFormat.CONSOLE,
        )
        == settings
    )


def test_all_faults_are_reported_at_once_with_their_variables():
    found = faults(
        {
            "GATEWAY_STORE_URL": "http://store",
            "GATEWAY_SHARDS": "0",
            "GATEWAY_FACES": "webhooks,console",
            "GATEWAY_LOG_FORMAT": "xml",
            "GATEWAY_INSTANCES": "eu=nobody",
            "GATEWAY_STROPE_WEBHOOK_SECRETS": "x",
            "GATEWAY_STRIPE_WEBHOOK_SECRTS": "x",
            "GATEWAY_STRIPE_LIVE": "perhaps",
            "GATEWAY_ADYEN_HMAC_KEYS_FILE": "/nowhere/key",
        }
    )

    for variable in (
        "GATEWAY_STORE_URL",
        "GATEWAY_SHARDS",
        "GATEWAY_FACES",
        "GATEWAY_LOG_FORMAT",
        "GATEWAY_INSTANCES",
        "GATEWAY_STROPE_WEBHOOK_SECRETS",
        "GATEWAY_STRIPE_WEBHOOK_SECRTS",
        "GATEWAY_STRIPE_LIVE",
        "GATEWAY_ADYEN_HMAC_KEYS_FILE",
    ):
        assert any(fault.startswith(variable) for fault in found), variable


def test_missing_store_is_a_fault():
    assert any(fault.startswith("GATEWAY_STORE_URL") for fault in faults({}))


def test_provider_is_configured_by_its_secrets():
    settings = load(STORE | {"GATEWAY_STRIPE_WEBHOOK_SECRETS": "whsec_a, whsec_b"})

    instance = settings.instances["stripe"]
    assert ["whsec_a", "whsec_b"] == [secret.value for secret in instance.config.webhook_secrets]
    assert "webhook_secrets[1]" == instance.config.webhook_secrets[1].label
    assert instance.livemode is None


def test_secret_with_a_comma_is_written_as_json():
    settings = load(STORE | {"GATEWAY_STRIPE_WEBHOOK_SECRETS": '["a,b"]'})

    assert ["a,b"] == [s.value for s in settings.instances["stripe"].config.webhook_secrets]


def test_secret_is_read_from_a_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text("whsec_file\n")
    settings = load(STORE | {"GATEWAY_STRIPE_WEBHOOK_SECRETS_FILE": str(path)})

    assert "whsec_file" == settings.instances["stripe"].config.webhook_secrets[0].value


def test_further_account_has_its_own_variables():
    settings = load(
        STORE
        | {
            "GATEWAY_INSTANCES": "stripe-eu=stripe",
            "GATEWAY_STRIPE_WEBHOOK_SECRETS": "whsec_us",
            "GATEWAY_STRIPE_EU_WEBHOOK_SECRETS": "whsec_eu",
            "GATEWAY_STRIPE_EU_LIVE": "true",
        }
    )

    assert {"stripe", "stripe-eu"} == set(settings.instances)
    european = settings.instances["stripe-eu"]
    assert "stripe" == european.adapter.id
    assert "whsec_eu" == european.config.webhook_secrets[0].value
    assert european.livemode is True


def test_named_instance_exists_without_a_variable_of_its_own():
    settings = load(STORE | {"GATEWAY_INSTANCES": "manual, desk=manual"})

    assert {"manual", "desk"} == set(settings.instances)
    assert any(
        "STRIPE_WEBHOOK_SECRETS" in f for f in faults(STORE | {"GATEWAY_INSTANCES": "stripe"})
    )


def test_nested_setting_is_written_as_json():
    settings = load(
        STORE
        | {
            "GATEWAY_ADYEN_HMAC_KEYS": "44" * 32,
            "GATEWAY_ADYEN_BASIC_AUTH": '{"username": "u", "password": "p"}',
        }
    )

    assert "u" == settings.instances["adyen"].config.basic_auth.username


def test_no_secret_is_shown():
    url = "redis://:hunter2@store:6379/0"
    settings = load({"GATEWAY_STORE_URL": url, "GATEWAY_STRIPE_WEBHOOK_SECRETS": "whsec_secret"})

    for shown in (repr(settings), str(describe(settings))):
        assert "hunter2" not in shown
        assert "whsec_secret" not in shown
    assert "stripe" == describe(settings)["instances"]


def test_provider_may_have_a_limit_of_its_own():
    settings = load(
        {**STORE, "GATEWAY_STRIPE_WEBHOOK_SECRETS": "whsec_x", "GATEWAY_STRIPE_MAX_BODY": "2048"}
    )

    assert 2048 == settings.limit_of(settings.instances["stripe"])
    assert (262144, 262144) == (settings.limit_of(None), settings.largest_body)
    for odd in ("1", "much", "99999999999"):
        with pytest.raises(ConfigurationError, match="GATEWAY_STRIPE_MAX_BODY"):
            load(
                {
                    **STORE,
                    "GATEWAY_STRIPE_WEBHOOK_SECRETS": "whsec_x",
                    "GATEWAY_STRIPE_MAX_BODY": odd,
                }
            )


def test_traces_are_made_once_opentelemetrys_own_variables_name_a_collector():
    given = {"GATEWAY_STORE_URL": "redis://localhost"}
    assert not load(given).traces
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        assert load(given | {name: "http://localhost:4318"}).traces


def test_cluster_needs_a_server_of_its_own_for_the_queue():
    cluster = {"GATEWAY_STORE_URL": "redis+cluster://one,two"}
    with pytest.raises(ConfigurationError, match=r"GATEWAY_QUEUE_URL: must be given"):
        load(cluster)
    with pytest.raises(ConfigurationError, match=r"GATEWAY_QUEUE_URL: must be one server"):
        load(cluster | {"GATEWAY_QUEUE_URL": "redis+cluster://one"})
    assert load(cluster | {"GATEWAY_QUEUE_URL": "redis+sentinel://one/queue"}).queue_url


def test_bad_url_is_told_with_its_variable_and_without_its_password():
    with pytest.raises(ConfigurationError, match="GATEWAY_STORE_URL: must end with") as raised:
        load({"GATEWAY_STORE_URL": "redis+sentinel://u:s3cret@one"})
    assert "s3cret" not in str(raised.value)
