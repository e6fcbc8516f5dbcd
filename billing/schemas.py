"""Types of several wire models of billing."""

from typing import Annotated

from pydantic import Field


Money = Annotated[str, Field(description="a decimal number in the record's currency", examples=["13.50"])]
