"""The MCP server: what assistants (programs that speak the Model Context Protocol) can see and ask of the bot.

It reads from the desk and leaves commands there, as the pages do; it talks neither to the exchange nor to the agents.
"""
