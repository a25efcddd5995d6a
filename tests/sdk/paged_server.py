"""A FastMCP server whose tools come two a page; on stdio, or over HTTP at a port."""

import os
import sys

from fastmcp import FastMCP

server = FastMCP("paged", list_page_size=2)


def tool(number):
    def answer() -> str:
        return f"{number} of {os.getpid()}"

    return answer


for number in range(5):
    server.tool(name=f"tool-{number}")(tool(number))

if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
    else:
        server.run(show_banner=False)
