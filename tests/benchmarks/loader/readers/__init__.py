"""One module per format: `REQUIREMENTS` of its environment, `write(frames, folder)`, and a `Reader`.

`Reader.read(order)` yields (numbers, pictures, states) for one frame or a batch; a reader without random access
yields frames in an order of its own, as many. Pictures go into buffers that are used again wherever the format leaves
decoding to its user.
"""
