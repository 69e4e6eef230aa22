"""The networks that these tests draw."""

LENET = """
net lenet5(classes=10) {
  input 1x32x32
  conv 6 k5 -> tanh -> avgpool 2
  conv 16 k5 -> tanh -> avgpool 2
  conv 120 k5 -> tanh                     : 120x1x1      # a checked shape
  flatten -> fc 84 -> tanh -> fc classes
}
"""
UNET = """
block double(c) { (conv c k3 p1 -> bn -> relu) x2 }
block up(c) takes low, skip {
  low -> upconv c k2 s2 -> cat skip -> double(c)
}
## Convolutional Networks for Biomedical Image Segmentation
net unet(classes=2, c=64) {
  input image : 3xHxW
  double(c)    as e1 -> pool 2
  double(2*c)  as e2 -> pool 2
  double(4*c)  as e3 -> pool 2
  double(8*c)  as e4 -> pool 2
  double(16*c)
  ( id | e4 ) -> up(8*c)
  ( id | e3 ) -> up(4*c)
  ( id | e2 ) -> up(2*c)
  ( id | e1 ) -> up(c)
  conv classes k1 as mask
}
"""
TRUNK = """
block trunk(c) { conv c k7 s2 p3 -> bn -> relu -> pool 3 s2 p1 -> (conv 2*c k3 p1 -> bn -> relu) x2 }
"""
TWO = (
    TRUNK
    + """
net two_stream(classes=101) {
  input rgb  : 3x224x224
  input flow : 20x224x224
  rgb  -> trunk(64) as appearance
  flow -> trunk(64) as motion
  (appearance | motion) -> cat -> gap -> flatten -> fc classes as logits
  output logits, motion
}
"""
)
SIAM = (
    TRUNK
    + """
net siamese {
  input a : 1x105x105
  input b : 1x105x105
  share encoder = trunk(64)               # one set of weights, used twice
  a -> encoder as ea
  b -> encoder as eb
  (ea | eb) -> sub -> abs -> gap -> flatten -> fc 1
}
"""
)
