"""Makes photographs as people have them, and beside each what Pillow 13.0 shows of it on white, NAME.want.png.

    python make.py

It needs Pillow alone, and overwrites what is there."""
import io
import os
import struct
import zlib

from PIL import Image, ImageOps, PngImagePlugin

os.chdir(os.path.dirname(os.path.abspath(__file__)))
W, H = 24, 16

scene = Image.new("RGB", (W, H))
scene.putdata([(255 * x // W, 255 * y // H, 60) for y in range(H) for x in range(W)])
ink = Image.new("RGBA", (W, H), (0, 0, 0, 0))
ink.putdata([(20, 0, 40, min(255, 16 * x)) if y > H // 2 else (0, 0, 0, 0) for y in range(H) for x in range(W)])


def tiff(orientation, order="<", kind=3, others=1):
    value = {1: "B3x", 3: "H2x", 4: "I"}[kind]
    b = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, others + 1)
    for i in range(others):
        b += struct.pack(order + "HHIH2x", 256 + i, 3, 1, 7)
    return b + struct.pack(order + "HHI" + value, 274, kind, 1, orientation) + struct.pack(order + "I", 0)


def xmp(orientation, attribute=True):
    is_ = f'tiff:Orientation="{orientation}"/>' if attribute else f"><tiff:Orientation>{orientation}</tiff:Orientation></rdf:Description>"
    return (f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            f'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" {is_}</rdf:RDF></x:xmpmeta>').encode()


def saved(image, format, **options):
    b = io.BytesIO()
    image.save(b, format, **options)
    return b.getvalue()


def write(name, content):
    with open(name, "wb") as f:
        f.write(content)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGBA")
    white = Image.new("RGBA", shown.size, (255, 255, 255, 255))
    Image.alpha_composite(white, shown).convert("RGB").save(name + ".want.png")


# JPEG
jpeg = saved(scene, "JPEG", quality=100, subsampling=0)


def segment(marker, data):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def with_segments(*parts, jpeg=jpeg):
    return jpeg[:2] + b"".join(parts) + jpeg[2:]


EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
for o in range(1, 9):
    write(f"turned{o}.jpg", with_segments(segment(0xE1, EXIF + tiff(o))))
write("late.jpg", with_segments(segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(900)), segment(0xFE, b"a comment"), segment(0xE1, XMP + b"<x/>"),
                                segment(0xE1, EXIF + tiff(6, ">"))))
write("filled.jpg", with_segments(b"\xff\xff\xff" + segment(0xFE, b"x"), b"\xff\xff" + segment(0xE1, EXIF + tiff(8))))
write("between.jpg", with_segments(segment(0xFE, b"x"), b"\0\0junk", segment(0xE1, EXIF + tiff(5))))
write("long.jpg", with_segments(segment(0xE1, EXIF + tiff(6, kind=4))))
write("byte.jpg", with_segments(segment(0xE1, EXIF + tiff(3, ">", kind=1))))
write("two.jpg", with_segments(segment(0xE1, EXIF + tiff(6, others=20)[:100]), segment(0xE1, EXIF + tiff(6, others=20)[100:])))
write("xmp.jpg", with_segments(segment(0xE1, XMP + xmp(8))))
write("xmp-element.jpg", with_segments(segment(0xE1, XMP + xmp(6, False)), segment(0xE1, EXIF + tiff(1)[:8] + bytes(6))))
write("both.jpg", with_segments(segment(0xE1, XMP + xmp(8)), segment(0xE1, EXIF + tiff(3))))
write("nine.jpg", with_segments(segment(0xE1, EXIF + tiff(9))))
write("progressive.jpg", with_segments(segment(0xE1, EXIF + tiff(6)), jpeg=saved(scene, "JPEG", quality=100, subsampling=0, progressive=True)))
write("grey.jpg", with_segments(segment(0xE1, EXIF + tiff(6)), jpeg=saved(scene.convert("L"), "JPEG", quality=100)))

cmyk = saved(scene.convert("CMYK"), "JPEG", quality=100)
write("cmyk-adobe.jpg", cmyk)
at = cmyk.index(b"\xff\xee")
bare = cmyk[:at] + cmyk[at + 2 + struct.unpack(">H", cmyk[at + 2:at + 4])[0]:]
assert b"Adobe" not in bare
write("cmyk-bare.jpg", bare)
write("cmyk-bare-turned.jpg", with_segments(segment(0xE1, EXIF + tiff(6)), jpeg=bare))

# PNG
png = saved(scene, "PNG")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def before(kind, png, *chunks):
    at = png.index(kind) - 4
    return png[:at] + b"".join(chunks) + png[at:]


def profile(b):
    return f"\nexif\n{len(b):8}\n".encode() + b"\n".join(b.hex().encode()[i:i + 72] for i in range(0, 2 * len(b), 72)) + b"\n"


write("first.png", before(b"IDAT", png, chunk(b"eXIf", tiff(6))))
write("last.png", before(b"IEND", png, chunk(b"eXIf", tiff(8, ">"))))
write("profile.png", before(b"IDAT", png, chunk(b"tEXt", b"Raw profile type exif\0" + profile(EXIF + tiff(6)))))
write("profile-z.png", before(b"IDAT", png, chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile(EXIF + tiff(5))))))
write("xmp.png", before(b"IDAT", png, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(6))))
write("ink.png", saved(ink, "PNG"))
write("ink-la.png", saved(ink.convert("LA"), "PNG"))
p = ink.convert("RGBA").quantize(16)
write("ink-p.png", saved(p, "PNG"))
write("animated.png", saved(scene, "PNG", save_all=True, append_images=[scene.rotate(180), scene.rotate(90)]))

# WebP
lossless = dict(lossless=True, exact=True)
write("turned.webp", saved(scene, "WEBP", exif=tiff(6), **lossless))
write("xmp.webp", saved(scene, "WEBP", xmp=xmp(5), **lossless))
write("ink.webp", saved(ink, "WEBP", **lossless))
write("ink-lossy.webp", saved(ink, "WEBP", quality=100, exif=tiff(6)))
write("lossy.webp", saved(scene.resize((8 * W, 8 * H)), "WEBP", quality=100, exif=tiff(7)))
write("animated.webp", saved(scene, "WEBP", save_all=True, append_images=[scene.rotate(180), scene.rotate(90)], exif=tiff(6), **lossless))
write("animated-lossy.webp", saved(ink, "WEBP", save_all=True, append_images=[ink.rotate(180)], quality=100))


def riff(kind, data):
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def u24(n):
    return struct.pack("<I", n)[:3]


def animation(frame, size, at, canvas, flags):
    frame = riff(b"ANMF", u24(at[0] // 2) + u24(at[1] // 2) + u24(size[0] - 1) + u24(size[1] - 1) + u24(100) + b"\0" + frame)
    body = riff(b"VP8X", bytes([2 | flags, 0, 0, 0]) + u24(canvas[0] - 1) + u24(canvas[1] - 1)) + riff(b"ANIM", bytes(6)) + frame + frame
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def chunks_of(webp):
    return webp[12:]


turned = saved(scene, "WEBP", exif=tiff(8), **lossless)
body = turned[12:turned.rindex(b"EXIF")] + riff(b"EXIF", EXIF + tiff(8))
write("turned-head.webp", b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body)
write("small-frame.webp", animation(chunks_of(saved(scene, "WEBP", **lossless)), (W, H), (4, 6), (40, 30), 16))

# GIF


def canvas(gif, size, at):
    gif = gif[:6] + struct.pack("<HH", *size) + gif[10:]
    i = gif.index(b"\x2c\0\0\0\0")
    return gif[:i + 1] + struct.pack("<HH", *at) + gif[i + 5:]


few = scene.quantize(32)
write("animated.gif", saved(few, "GIF", save_all=True, append_images=[few.rotate(180), few.rotate(90)]))
write("small-frame.gif", canvas(saved(few, "GIF"), (40, 30), (3, 7)))
write("small-frame-clear.gif", canvas(saved(p, "GIF", transparency=0), (40, 30), (3, 7)))
write("large-frame.gif", canvas(saved(few, "GIF", comment=b"a comment"), (10, 0), (3, 7)))
write("ink.gif", saved(p, "GIF", transparency=0))
