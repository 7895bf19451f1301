"""What users of other libraries call things here: Lightning, lightly, solo-learn, timm, the papers' releases.

A name is looked up as it is written without case, dashes, dots and underscores: `batchsize` is batch_size, too.
"""

from dcp.errors import squeezed

KEYS = {  # a key of theirs, or an option of their commands -> the key here
    **dict.fromkeys(("epoch", "maxepochs", "numepochs", "nepochs", "trainepochs"), "train.epochs"),
    **dict.fromkeys(("batchsize", "bs", "globalbatchsize", "trainbatchsize", "batchsizeperdevice"), "train.batch"),
    **dict.fromkeys(("learningrate", "baselr", "initlr", "lr"), "optimizer.lr"),
    **dict.fromkeys(("wd", "weightdecay", "decay"), "optimizer.weight_decay"),
    **dict.fromkeys(("opt", "optim", "optimizer"), "optimizer.name"),
    **dict.fromkeys(("sched", "scheduler", "lrschedule", "lrscheduler"), "optimizer.schedule"),
    **dict.fromkeys(("warmup", "warmupepochs", "warmupsteps"), "optimizer.warmup_epochs"),
    **dict.fromkeys(("arch", "architecture", "model", "encoder", "network", "backbonename"), "network.backbone"),
    **dict.fromkeys(("syncbn", "syncbatchnorm"), "network.sync_norm"),
    **dict.fromkeys(("projdim", "outdim", "featuredim", "projoutputdim", "outputdim"), "network.projector.out"),
    **dict.fromkeys(("projhiddendim", "projhidden"), "network.projector.hidden"),
    **dict.fromkeys(("predhiddendim", "predhidden", "preddim"), "predictor.hidden"),
    **dict.fromkeys(("basetau", "basetautarget", "ema", "emadecay", "momentumencoder", "basemomentum"), "target.tau"),
    **dict.fromkeys(("loss", "criterion", "lossfn"), "objective.name"),
    **dict.fromkeys(("dataset", "datasets"), "data.source"),
    **dict.fromkeys(("datadir", "datapath", "dataroot", "traindatapath", "traindir", "inputdir"), "data.root"),
    **dict.fromkeys(("imgsize", "imagesize", "inputsize", "resolution", "cropsize"), "data.image_size"),
    **dict.fromkeys(("numworkers", "nworkers", "j"), "train.workers"),
    **dict.fromkeys(("amp", "fp16", "bf16", "mixedprecision", "usefp16"), "train.precision"),
    **dict.fromkeys(("saveinterval", "savefreq", "checkpointevery", "ckptfreq"), "train.save_every"),
    **dict.fromkeys(("logfreq", "logeverynsteps", "printfreq"), "train.log_every"),
    **dict.fromkeys(("wandb", "logger", "tensorboard", "usewandb"), "run.tracker"),
    **dict.fromkeys(("randomseed", "manualseed", "seed"), "run.seed"),
    **dict.fromkeys(("name", "exp", "expname", "experiment", "experimentname", "runname"), "run.name"),
}
VARIANTS = {  # section -> a name of theirs -> what to write
    "predictor": {
        "byol": 'predictor.name = "mlp"',
        "simsiam": 'predictor.name = "mlp" with target.name = "online"',
        **dict.fromkeys(("none", "no", "null", "simclr", "vicreg", "barlowtwins"), 'predictor.name = "identity"'),
    },
    "target": {
        **dict.fromkeys(("byol", "momentum", "movingaverage", "meanteacher", "momentumencoder"), 'target.name = "ema"'),
        **dict.fromkeys(("simsiam", "stopgrad", "stopgradient", "detach", "directpred"), 'target.name = "online"'),
        **dict.fromkeys(("none", "nostopgrad", "simclr", "siamese"), 'target.name = "shared"'),
    },
    "objective": {
        **dict.fromkeys(("byol", "mse", "simsiam", "cosinesimilarity", "negcosine"), 'objective.name = "cosine"'),
        **dict.fromkeys(("l2", "squared"), 'objective.name = "euclidean"'),
        **dict.fromkeys(("simclr", "infonce", "contrastive", "moco"), 'objective.name = "ntxent"'),
        "barlowtwins": 'objective.name = "barlow"',
        "lejepa": 'objective.name = "sigreg"',
    },
    "data": {
        **dict.fromkeys(("imagefolder", "custom", "directory", "path"), 'data.source = "folder"'),
        **dict.fromkeys(("webdataset", "wds", "tar", "tars"), 'data.source = "shards"'),
        **dict.fromkeys(("huggingface", "hub", "datasets", "hfdatasets"), 'data.source = "hf"'),
        **dict.fromkeys(("ilsvrc", "ilsvrc2012", "imagenet1k"), 'data.source = "imagenet"'),
    },
    "evaluation": {
        **dict.fromkeys(("linearprobe", "lineareval", "logreg", "logisticregression"), "linear"),
        **dict.fromkeys(("nearestneighbours", "nearestneighbors", "nn"), "knn"),
        **dict.fromkeys(("rankme", "rank", "eigenvalues"), "spectrum"),
        **dict.fromkeys(("kmeans", "nmi"), "clustering"),
        **dict.fromkeys(("lidar", "uniformity", "viewalignment"), "spectrum"),
        **dict.fromkeys(("semisupervised", "fewshot"), "lowlabel"),
    },
}


def key(theirs: str) -> str:
    """The key that is meant by the last part of `theirs`, or "".

    >>> key("data.batchsize"), key("--batch-size"), key("nothing")
    ('train.batch', 'train.batch', '')
    """
    return KEYS.get(squeezed(theirs.rpartition(".")[2]), "")


def variant(section: str, theirs: str) -> str:
    """What to write for the variant that is meant, or "".

    >>> variant("predictor", "BYOL")
    'predictor.name = "mlp"'
    """
    return VARIANTS.get(section, {}).get(squeezed(theirs), "")
