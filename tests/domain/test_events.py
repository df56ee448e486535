import builders


def test_header_values_ignore_case_and_keep_repetition():
    delivery = builders.delivery(headers=(("X-A", "1"), ("x-a", "2"), ("X-B", "3")))

    assert ["1", "2"] == delivery.header_values("x-A")


def test_delivery_keeps_body_and_headers_out_of_its_repr():
    delivery = builders.delivery(b"card 4242", headers=(("Authorization", "Basic c2VjcmV0"),))

    assert "4242" not in repr(delivery)
    assert "c2VjcmV0" not in repr(delivery)


def test_event_without_status_or_change_concerns_no_payment():
    assert not builders.event().concerns_payment
