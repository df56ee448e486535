"""Where a verdict of ours is not the SDK's on purpose: data, each with its reason."""

from dataclasses import dataclass

STRIPE, PADDLE, ADYEN, BRAINTREE = "stripe", "paddle-python-sdk", "adyen", "braintree"
STANDARD, SVIX, CASHFREE, MERCADO = "standardwebhooks", "svix", "cashfree_pg", "mercadopago"
BOTH = (STANDARD, SVIX)
COINBASE, GOCARDLESS, MOLLIE = "coinbase-commerce", "gocardless_pro", "mollie-api-py"


@dataclass(frozen=True)
class Difference:
    """Under this alteration the adapter may accept (or else refuse) what the SDK does not.

    `only` names the deliveries for which that is so; none: it may be any.
    """

    alteration: str
    sdks: tuple[str, ...]
    we_accept: bool
    why: str
    only: tuple[str, ...] = ()


def we_accept(alteration, *sdks, why, only=()):
    return Difference(alteration, sdks, we_accept=True, why=why, only=only)


def we_refuse(alteration, *sdks, why, only=()):
    return Difference(alteration, sdks, we_accept=False, why=why, only=only)


_DOUBLED = "a header that is there twice can be read in two ways, so we take neither"
_ONE_TIME = "two times can be read in two ways, so we take neither"
_FIRST_ITEM = "the SDK checks the first item of a batch, we check all"
_BATCHES = ("batch_capture_and_report",)
_IN_MILLISECONDS = ("payment_rejected_ts_in_milliseconds", "order_id_signed_as_received")
_CLOCK = "the SDK does not compare the time with its clock; we refuse what is far from the receipt"
_STRICT_BASE64 = "the SDK passes over garbage in base64; we compare the text that the sender makes"

DIFFERENCES = (
    we_accept(
        "signed without being UTF-8",
        *(STRIPE, PADDLE, BRAINTREE, *BOTH, CASHFREE, COINBASE, GOCARDLESS, MOLLIE),
        *("razorpay", "squareup"),
        why="the SDK wants text or JSON; for us the bytes are genuine, and reading them fails",
    ),
    we_accept(
        "signed without being JSON",
        *(BRAINTREE, CASHFREE, COINBASE, GOCARDLESS),
        why="the SDK reads the body in the same step; we read it in the next one",
    ),
    we_refuse("a header of the signature twice", STRIPE, MERCADO, why=_DOUBLED),
    we_refuse("another signature's header before the right one", STRIPE, MERCADO, why=_DOUBLED),
    we_refuse(
        "a header of the signature cut or longer",
        STRIPE,
        why="the SDK passes over a second equals sign in an item",
    ),
    we_accept(
        "space after a separator",
        *(STRIPE, PADDLE),
        why="proxies that fold headers may add one; it changes nothing that is signed",
    ),
    we_accept(
        "an unheard-of item",
        PADDLE,
        why="the next version of the signature may be announced beside the one that we know",
    ),
    we_refuse(
        "another time before the right one", PADDLE, why=f"the SDK takes the last; {_ONE_TIME}"
    ),
    we_refuse(
        "another time behind the right one", STRIPE, why=f"the SDK takes the first; {_ONE_TIME}"
    ),
    we_refuse(
        "the time with a sign or a zero",
        *(STRIPE, PADDLE),
        why="the SDK signs the number that it reads, we sign the text that was sent",
    ),
    *(
        we_refuse(
            f"received {seconds} s",
            STRIPE,
            why="the SDK takes times that are yet to come; with them a window has no end",
        )
        for seconds in ("-86400", "-301")
    ),
    *(
        we_refuse(f"received {seconds} s", CASHFREE, why=_CLOCK)
        for seconds in ("-86400", "-301", "+301", "+86400")
    ),
    we_accept(
        "two signatures in one header",
        *(CASHFREE, MOLLIE),
        why="during a rotation of secrets a sender may sign with both",
    ),
    we_refuse(
        "a digit moved from the body to the time",
        CASHFREE,
        why="nothing parts time and body, so we fix the number of the time's digits",
    ),
    we_accept(
        "a signature of the id in the other case",
        MERCADO,
        why="the documentation has ids signed in lower case, the SDK as they are sent",
    ),
    we_accept(
        "with a tolerance, in time",
        MERCADO,
        why="times in milliseconds come as well, and the SDK takes every time for seconds",
        only=_IN_MILLISECONDS,
    ),
    we_accept(
        "with a tolerance, too early or too late",
        MERCADO,
        why="the same: by its milliseconds it is in time still",
        only=_IN_MILLISECONDS,
    ),
    we_refuse("a bit of a signature's header flipped", *BOTH, why=_STRICT_BASE64),
    we_refuse("a header of the signature cut or longer", *BOTH, why=_STRICT_BASE64),
    we_refuse("base64 that no encoder writes", *BOTH, why=_STRICT_BASE64),
    we_accept("headers of Svix", STANDARD, why="the SDK knows the headers of the standard only"),
    we_accept(
        "Svix's id beside the three headers",
        SVIX,
        why="the SDK mixes the two families of headers; we take one that is complete",
    ),
    we_refuse("a dot in the id", *BOTH, why="with it the id's end could be shifted into the time"),
    we_refuse(
        "a fraction of a second",
        *BOTH,
        why="the SDK signs the second that it reads, we sign the text that was sent",
    ),
    we_accept(
        "an item without a version first",
        *BOTH,
        why="the SDK fails at it; one that we do not know must not spoil the others",
    ),
    we_refuse("an altered item behind a genuine one", ADYEN, why=_FIRST_ITEM),
    we_refuse("a bit of the body flipped", ADYEN, why=_FIRST_ITEM, only=_BATCHES),
    we_refuse(
        "white space around the body",
        ADYEN,
        why="a byte order mark is no JSON; Adyen signs values, so what reads it may let it be",
    ),
    we_accept(
        "no body",
        ADYEN,
        why="a probe of the endpoint, which says nothing; the SDK is not asked about those",
    ),
    we_accept(
        "a signed value written as null",
        ADYEN,
        why="the SDK signs Python's word for it; in Adyen's text there is nothing",
    ),
    we_accept(
        "success written as a truth value",
        ADYEN,
        why="the SDK signs Python's word for it; Adyen's is in lower case",
    ),
    we_refuse(
        "a colon moved between signed values",
        ADYEN,
        why="colons part the signed values and nothing escapes them: one may pose as its neighbour",
    ),
    we_refuse(
        "an item's signed text with its signature in the header",
        ADYEN,
        why="a body that is signed whole must be JSON, or the text of an item would pass for one",
    ),
    we_refuse(
        "without basic authentication",
        ADYEN,
        why="it is configured here, and the SDK leaves it to the web server",
    ),
    we_accept(
        "another signature of the key first",
        BRAINTREE,
        why="the SDK tries the first signature of its public key only",
    ),
    we_refuse("a field of the form twice", BRAINTREE, why=_DOUBLED),
)

# Recorded deliveries that the SDK cannot judge, so that only the refusal by it is checked.
BEYOND = {
    (STANDARD, "official_asymmetric_vector"): "it knows no asymmetric signatures",
    (STANDARD, "payment_succeeded_v1a"): "the same",
    (STANDARD, "payment_failed_svix_headers"): "it knows the headers of the standard only",
    (SVIX, "official_asymmetric_vector"): "it knows no asymmetric signatures",
    (SVIX, "payment_succeeded_v1a"): "the same",
    (MOLLIE, "classic_payment_paid"): "a classic call is not signed: the API is asked",
    (MOLLIE, "classic_unknown_payment_refused"): "the same",
    (MERCADO, "order_id_signed_lower_case"): "it takes ids to be signed as they are sent",
    (BRAINTREE, "challenge_get"): "no delivery, but a question; see test_braintree_challenge",
}
