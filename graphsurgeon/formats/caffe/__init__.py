"""Caffe (`.prototxt`, `.caffemodel`) and Caffe2 (`predict_net`, `init_net`); see `file`."""
