# MS COCO 2014 for every pipeline: python tools/train.py configs/<pipeline>.py --data <this file>.
#
# Move or link the images to data/coco/images/train2014 and data/coco/images/val2014. The id of an
# image is then train2014/COCO_train2014_000000000009. The JSON names images without their folder,
# which is found automatically. Then run tools/dataset_converters/coco_masks.py data/coco for masks
# and lists: 82 081 images for training and 40 137 for validation, those that have an annotation.
# Only the labels of train2014 are read; validation only needs masks.
#
# No method here has separate settings for COCO: schedules and thresholds are those of VOC. With
# 82 081 images instead of 10 582, the number of iterations is the first thing to raise.
data = dict(
    root='{{$MMWSSS_DATA:data}}/coco',
    images='images',
    labels='annotations/instances_train2014.json',
    train='train2014.txt',
    val='val2014.txt',
    masks='masks',
    # In the order of the ids 1..90, which have gaps.
    classes=(
        *('person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train', 'truck', 'boat'),
        *('traffic light', 'fire hydrant', 'stop sign', 'parking meter', 'bench', 'bird', 'cat'),
        *('dog', 'horse', 'sheep', 'cow', 'elephant', 'bear', 'zebra', 'giraffe', 'backpack'),
        *('umbrella', 'handbag', 'tie', 'suitcase', 'frisbee', 'skis', 'snowboard'),
        *('sports ball', 'kite', 'baseball bat', 'baseball glove', 'skateboard', 'surfboard'),
        *('tennis racket', 'bottle', 'wine glass', 'cup', 'fork', 'knife', 'spoon', 'bowl'),
        *('banana', 'apple', 'sandwich', 'orange', 'broccoli', 'carrot', 'hot dog', 'pizza'),
        *('donut', 'cake', 'chair', 'couch', 'potted plant', 'bed', 'dining table', 'toilet'),
        *('tv', 'laptop', 'mouse', 'remote', 'keyboard', 'cell phone', 'microwave', 'oven'),
        *('toaster', 'sink', 'refrigerator', 'book', 'clock', 'vase', 'scissors', 'teddy bear'),
        *('hair drier', 'toothbrush'),
    ),
)
