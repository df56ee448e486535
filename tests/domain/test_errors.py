from gateway.domain import errors
from gateway.domain.errors import Cause, ConfigurationError, GatewayError, InvalidInput, Rejected


def test_every_error_stands_in_the_tree_of_the_docstring():
    made = {
        name
        for name, item in vars(errors).items()
        if isinstance(item, type) and issubclass(item, GatewayError)
    }

    assert all(name in errors.__doc__ for name in made)


def test_rejected_says_its_cause_and_detail():
    assert "bad_signature: why" == str(Rejected(Cause.BAD_SIGNATURE, "why"))
    assert "malformed" == str(Rejected(Cause.MALFORMED))


def test_invalid_input_names_its_field():
    assert "amount: must be positive" == str(InvalidInput("amount", "must be positive"))


def test_configuration_error_lists_every_fault():
    message = str(ConfigurationError(["GATEWAY_A: x", "GATEWAY_B: y"]))

    assert "GATEWAY_A: x" in message
    assert "GATEWAY_B: y" in message
