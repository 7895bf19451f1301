"""The functions behind the commands: plain values in, plain values out. `import dcp` shows them."""
