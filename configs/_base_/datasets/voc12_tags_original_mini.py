# Images of train.txt to label at their original size, with tags: one view.
_base_ = ['./voc12_mini_320.py']
train_dataloader = None
