"""ISO 4217's numbers of currencies, which card acquirers write in place of the letters."""

from typing import Any

from providers import payload

_NUMBERS = (
    "008 ALL 012 DZD 032 ARS 036 AUD 044 BSD 048 BHD 068 BOB 124 CAD 144 LKR 152 CLP"
    " 156 CNY 170 COP 188 CRC 203 CZK 208 DKK 214 DOP 320 GTQ 340 HNL 344 HKD 348 HUF"
    " 352 ISK 356 INR 360 IDR 376 ILS 388 JMD 392 JPY 400 JOD 404 KES 410 KRW 414 KWD"
    " 422 LBP 458 MYR 484 MXN 504 MAD 512 OMR 554 NZD 566 NGN 578 NOK 586 PKR 590 PAB"
    " 600 PYG 604 PEN 608 PHP 634 QAR 643 RUB 682 SAR 702 SGD 704 VND 710 ZAR 752 SEK"
    " 756 CHF 764 THB 784 AED 788 TND 818 EGP 826 GBP 840 USD 858 UYU 901 TWD 941 RSD"
    " 946 RON 949 TRY 952 XOF 975 BGN 978 EUR 980 UAH 981 GEL 985 PLN 986 BRL"
).split()
_CURRENCIES = dict(zip(_NUMBERS[::2], _NUMBERS[1::2], strict=True))


class NumberedCurrency(payload.Currency):
    """A currency by its number, which may be a JSON number or lack zeros; or by its letters."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        number = str(value) if isinstance(value, int | str) else ""
        return super()._deserialize(_CURRENCIES.get(number.zfill(3), value), *args, **kwargs)
