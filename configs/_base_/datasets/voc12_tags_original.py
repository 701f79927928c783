# Images to label at their original size, with tags: one view.
_base_ = ['./voc12.py']
train_dataloader = None
test_dataloader = dict(dataset=dict(supervision='tag'))
