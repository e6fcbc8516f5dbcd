"""What several features of billing spell alike on the wire."""

from typing import Annotated

from pydantic import Field


Money = Annotated[str, Field(description="a decimal number in the record's currency", examples=["13.50"])]
