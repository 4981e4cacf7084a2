/* Groups of stored blocks, opened in one call that leaves the interpreter's lock to others: each block's framing and CRC
   are checked, its data is inflated, and in each record the wanted fields are found and their UTF-8 is checked. What is
   left to do with the lock is to make a record's strings when it is asked for.

   It opens what is as it should be: deflate, fields of known types, every check passed. Anything else gives None, and
   its caller goes through it in Python, which says what is wrong. Inflating and CRCs are libdeflate's, of the package
   `deflate`, whose shared library has it whole. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define SYNC 16
#define USUAL_BLOCK ((size_t)72 << 10)
#define LARGEST_BLOCK (USUAL_BLOCK << 11)
#define LARGEST_RATIO 1032 /* of what deflate gives to what it takes */
#define MOST_FIELDS 255
#define HIGH_BITS 0x8080808080808080u

/* libdeflate.h, whose interface has been the same since its first release */
typedef struct libdeflate_decompressor Inflater;
enum { DONE = 0, NO_SPACE = 3 };
static Inflater *(*inflater_new)(void);
static void (*inflater_free)(Inflater *);
static int (*inflate)(Inflater *, const void *, size_t, void *, size_t, size_t *);
static uint32_t (*crc32)(uint32_t, const void *, size_t);

/* Values: a text's kind is what CPython keeps it as */

typedef enum { ABSENT, NUMBER, ASCII, LATIN, WIDE, WIDEST } Kind;

typedef struct {
    uint32_t kind, bytes;
    union {
        int64_t number;
        struct {
            uint32_t start, chars;
        };
    };
} Value;

/* How many bytes from `at` on are known to be ASCII: 32, 8 or 0. */
static inline int ascii_run(const uint8_t *at, const uint8_t *end)
{
    uint64_t eights[4];
    if (end - at >= 32) {
        memcpy(eights, at, 32);
        if (!((eights[0] | eights[1] | eights[2] | eights[3]) & HIGH_BITS))
            return 32;
    } else if (end - at >= 8) {
        memcpy(eights, at, 8);
    } else {
        return 0;
    }
    return eights[0] & HIGH_BITS ? 0 : 8;
}

static inline bool goes_on(uint8_t byte) { return (byte & 0xc0) == 0x80; }

/* How many bytes the character at `at` takes, 0 where it is no valid one: table 3-7 of the Unicode Standard. */
static inline int well_formed(const uint8_t *at, const uint8_t *end)
{
    uint8_t first = at[0];
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    int size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (end - at < size || !goes_on(at[1]) || (size > 2 && !goes_on(at[2])) || (size > 3 && !goes_on(at[3])))
        return 0;
    if ((first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f) || (first == 0xf0 && at[1] < 0x90) ||
        (first == 0xf4 && at[1] > 0x8f))
        return 0;
    return size;
}

/* Counts the characters of a text and finds its kind; false where it is no valid UTF-8. */
static bool measure(const uint8_t *data, Value *text)
{
    const uint8_t *at = data + text->start, *end = at + text->bytes;
    uint32_t more = 0; /* bytes behind the first one of a character */
    while (at < end) {
        int run = ascii_run(at, end);
        if (run) {
            at += run;
            continue;
        }
        int size = well_formed(at, end);
        if (!size)
            return false;
        Kind kind = size == 1 ? ASCII : size == 2 ? (at[0] < 0xc4 ? LATIN : WIDE) : size == 3 ? WIDE : WIDEST;
        if (kind > text->kind)
            text->kind = kind;
        more += (uint32_t)size - 1;
        at += size;
    }
    text->chars = text->bytes - more;
    return true;
}

#define DEFINE_WIDEN(NAME, TYPE)                                                                                       \
    static void NAME(TYPE *restrict to, const uint8_t *restrict at, const uint8_t *end)                                \
    {                                                                                                                  \
        while (at < end) {                                                                                             \
            int run = ascii_run(at, end);                                                                              \
            if (run == 32)                                                                                             \
                for (int i = 0; i < 32; i++)                                                                           \
                    to[i] = at[i];                                                                                     \
            else                                                                                                       \
                for (int i = 0; i < run; i++)                                                                          \
                    to[i] = at[i];                                                                                     \
            if (run) {                                                                                                 \
                to += run, at += run;                                                                                  \
                continue;                                                                                              \
            }                                                                                                          \
            Py_UCS4 value = *at++;                                                                                     \
            if (value >= 0x80) {                                                                                       \
                int more = value < 0xe0 ? 1 : value < 0xf0 ? 2 : 3;                                                    \
                value &= 0x3f >> more;                                                                                 \
                while (more--)                                                                                         \
                    value = value << 6 | (*at++ & 0x3f);                                                               \
            }                                                                                                          \
            *to++ = (TYPE)value;                                                                                       \
        }                                                                                                              \
    }

DEFINE_WIDEN(widen_latin, Py_UCS1)
DEFINE_WIDEN(widen_wide, Py_UCS2)
DEFINE_WIDEN(widen_widest, Py_UCS4)

static PyObject *to_python(const uint8_t *data, const Value *value)
{
    static const Py_UCS4 largest[] = {[ASCII] = 0x7f, [LATIN] = 0xff, [WIDE] = 0xffff, [WIDEST] = 0x10ffff};
    if (value->kind == ABSENT)
        Py_RETURN_NONE;
    if (value->kind == NUMBER)
        return PyLong_FromLongLong(value->number);
    PyObject *text = PyUnicode_New(value->chars, largest[value->kind]);
    if (!text || !value->bytes)
        return text;
    const uint8_t *at = data + value->start, *end = at + value->bytes;
    switch (value->kind) {
    case ASCII: memcpy(PyUnicode_DATA(text), at, value->bytes); break;
    case LATIN: widen_latin(PyUnicode_1BYTE_DATA(text), at, end); break;
    case WIDE: widen_wide(PyUnicode_2BYTE_DATA(text), at, end); break;
    default: widen_widest(PyUnicode_4BYTE_DATA(text), at, end);
    }
    return text;
}

/* Records in Avro's binary encoding */

typedef struct {
    const uint8_t *data, *at, *end;
} Cursor;

/* `places` has of each field of a record its place among the `width` wanted ones, or -1. */
typedef struct {
    Py_ssize_t width;
    int16_t places[MOST_FIELDS];
} Wanted;

static bool read_long(Cursor *from, int64_t *value)
{
    uint64_t coded = 0;
    for (int shift = 0; from->at < from->end && shift < 64; shift += 7) {
        uint8_t byte = *from->at++;
        coded |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = (int64_t)(coded >> 1) ^ -(int64_t)(coded & 1);
            return true;
        }
    }
    return false;
}

/* `type`: s for a string, n for an int or a long; S and N for one that may be null. */
static inline bool read_value(Cursor *from, char type, Value *value)
{
    int64_t number;
    value->kind = ABSENT;
    if (type == 'S' || type == 'N') {
        if (!read_long(from, &number) || number < 0 || number > 1)
            return false;
        if (!number)
            return true;
    }
    if (!read_long(from, &number))
        return false;
    if (type == 'n' || type == 'N') {
        value->kind = NUMBER;
        value->number = number;
        return true;
    }
    if (number < 0 || number > from->end - from->at)
        return false;
    value->kind = ASCII;
    value->start = (uint32_t)(from->at - from->data);
    value->bytes = (uint32_t)number;
    from->at += number;
    return true;
}

static bool read_record(Cursor *from, const char *types, Value *values, const Wanted *wanted)
{
    Value unused;
    for (int i = 0; types[i]; i++) {
        int place = wanted->places[i];
        Value *value = place < 0 ? &unused : &values[place];
        if (!read_value(from, types[i], value) || (place >= 0 && value->kind == ASCII && !measure(from->data, value)))
            return false;
    }
    return true;
}

/* A group of neighbouring blocks of one file */

typedef struct {
    PyObject *path;   /* of the file to read it from; NULL: it was read */
    Py_buffer stored; /* then */
    int64_t start, bytes;
    Py_buffer sync;
    const char *types;            /* of a record's fields */
    Py_buffer counts, crcs, kept; /* numbers of 32 bits; no CRCs: they are not checked, nothing kept: all is wanted */
    uint8_t *data;
    size_t size, room;
    Value *values; /* `width` a record */
    size_t records;
    bool good;
} Group;

static bool grow(Group *group, size_t room)
{
    uint8_t *data = PyMem_RawRealloc(group->data, room ? room : 1);
    if (!data)
        return false;
    group->data = data;
    group->room = room;
    return true;
}

/* From its file; false where that is not there or too short. */
static bool read_stored(const Group *group, uint8_t *to)
{
    int file = open(PyBytes_AS_STRING(group->path), O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    int64_t got = 0;
    while (got < group->bytes) {
        ssize_t more = pread(file, to + got, (size_t)(group->bytes - got), (off_t)(group->start + got));
        if (more <= 0 && !(more < 0 && errno == EINTR))
            break;
        got += more > 0 ? more : 0;
    }
    close(file);
    return got == group->bytes;
}

static bool inflate_block(Group *group, Inflater *inflater, const uint8_t *packed, size_t size)
{
    for (size_t room = USUAL_BLOCK; room <= LARGEST_BLOCK; room *= 2) {
        if (group->room - group->size < room && !grow(group, group->size + room))
            return false;
        size_t made;
        int said = inflate(inflater, packed, size, group->data + group->size, group->room - group->size, &made);
        if (said == DONE) {
            group->size += made;
            return group->size <= UINT32_MAX;
        }
        if (said != NO_SPACE)
            return false;
    }
    return false;
}

static bool find_records(Group *group, size_t from, size_t count, const Wanted *wanted)
{
    Cursor cursor = {group->data, group->data + from, group->data + group->size};
    for (size_t i = 0; i < count; i++, group->records++)
        if (!read_record(&cursor, group->types, group->values + group->records * wanted->width, wanted))
            return false;
    return cursor.at == cursor.end;
}

static bool keep(Group *group, size_t width)
{
    const uint32_t *kept = group->kept.buf;
    size_t number = (size_t)group->kept.len / sizeof *kept;
    if (!kept)
        return true;
    for (size_t i = 0; i < number; i++) {
        size_t from = kept[i];
        if (from >= group->records || from < i) /* ascending: none is overwritten before it is moved */
            return false;
        memmove(group->values + i * width, group->values + from * width, width * sizeof(Value));
    }
    group->records = number;
    return true;
}

static bool open_stored(Group *group, const uint8_t *stored, Inflater *inflater, const Wanted *wanted)
{
    const uint32_t *counts = group->counts.buf, *crcs = group->crcs.buf;
    size_t blocks = (size_t)group->counts.len / sizeof *counts;
    uint64_t total = 0;
    Cursor cursor = {stored, stored, stored + group->bytes};
    for (size_t i = 0; i < blocks; i++)
        total += counts[i];
    if (total * strlen(group->types) > (uint64_t)group->bytes * LARGEST_RATIO) /* a field takes a byte at least */
        return false;
    group->values = PyMem_RawCalloc((size_t)total + 1, (size_t)wanted->width * sizeof(Value)); /* zero is ABSENT */
    if (!group->values || !grow(group, blocks * USUAL_BLOCK))
        return false;
    for (size_t i = 0; i < blocks; i++) {
        int64_t count, size;
        if (!read_long(&cursor, &count) || !read_long(&cursor, &size) || count != counts[i] || size < 0 ||
            size > cursor.end - cursor.at - SYNC || (uint64_t)count > total - group->records)
            return false;
        if (memcmp(cursor.at + size, group->sync.buf, SYNC) || (crcs && crc32(0, cursor.at, (size_t)size) != crcs[i]))
            return false;
        size_t from = group->size;
        if (!inflate_block(group, inflater, cursor.at, (size_t)size) || !find_records(group, from, (size_t)count, wanted))
            return false;
        cursor.at += size + SYNC;
    }
    return cursor.at == cursor.end && grow(group, group->size) && keep(group, (size_t)wanted->width);
}

static bool open_group(Group *group, Inflater *inflater, const Wanted *wanted)
{
    if (!group->path)
        return open_stored(group, group->stored.buf, inflater, wanted);
    uint8_t *stored = PyMem_RawMalloc((size_t)group->bytes);
    bool good = stored && read_stored(group, stored) && open_stored(group, stored, inflater, wanted);
    PyMem_RawFree(stored);
    return good;
}

/* Records, as Python sees them: a sequence of dicts, each made when it is asked for */

typedef struct {
    PyObject_HEAD
    PyObject *fields;
    uint8_t *data;
    Value *values;
    Py_ssize_t records;
} Records;

static Py_ssize_t records_length(Records *self) { return self->records; }

static PyObject *records_item(Records *self, Py_ssize_t index)
{
    if (index < 0 || index >= self->records) {
        PyErr_SetString(PyExc_IndexError, "no such record");
        return NULL;
    }
    Py_ssize_t width = PyTuple_GET_SIZE(self->fields);
    PyObject *record = PyDict_New();
    for (Py_ssize_t i = 0; record && i < width; i++) {
        PyObject *value = to_python(self->data, &self->values[index * width + i]);
        if (!value || PyDict_SetItem(record, PyTuple_GET_ITEM(self->fields, i), value))
            Py_CLEAR(record);
        Py_XDECREF(value);
    }
    return record;
}

static void records_dealloc(Records *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(self->fields);
    PyMem_RawFree(self->data);
    PyMem_RawFree(self->values);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot records_slots[] = {
    {Py_sq_length, records_length},
    {Py_sq_item, records_item},
    {Py_tp_dealloc, records_dealloc},
    {Py_tp_doc, "The records of a group: a sequence of dicts, each made when it is asked for."},
    {0, NULL},
};

static PyType_Spec records_spec = {
    "articles.training._native.Records",
    sizeof(Records),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    records_slots,
};

static PyTypeObject *records_type;

static bool to_wanted(PyObject *fields, PyObject *places, Wanted *wanted)
{
    wanted->width = PyTuple_GET_SIZE(fields);
    if (wanted->width != PyBytes_GET_SIZE(places)) {
        PyErr_SetString(PyExc_ValueError, "a place for each field");
        return false;
    }
    memset(wanted->places, -1, sizeof wanted->places);
    for (Py_ssize_t i = 0; i < wanted->width; i++) {
        uint8_t place = (uint8_t)PyBytes_AS_STRING(places)[i];
        if (place >= MOST_FIELDS || wanted->places[place] >= 0) {
            PyErr_SetString(PyExc_ValueError, "places are less than 255, each there once");
            return false;
        }
        wanted->places[place] = (int16_t)i;
    }
    return true;
}

static bool to_group(PyObject *given, Group *group)
{
    PyObject *where;
    if (!PyTuple_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "a group is a tuple");
        return false;
    }
    if (!PyArg_ParseTuple(given, "OLLy*sy*z*z*", &where, &group->start, &group->bytes, &group->sync, &group->types,
                          &group->counts, &group->crcs, &group->kept))
        return false;
    if (PyUnicode_Check(where) ? !PyUnicode_FSConverter(where, &group->path)
                               : PyObject_GetBuffer(where, &group->stored, PyBUF_SIMPLE))
        return false;
    if (group->start < 0 || group->bytes < 0 || (!group->path && (group->start || group->bytes != group->stored.len)))
        PyErr_SetString(PyExc_ValueError, "a part of a file, or all of some bytes");
    else if (group->sync.len != SYNC)
        PyErr_SetString(PyExc_ValueError, "a sync marker has 16 bytes");
    else if (strlen(group->types) > MOST_FIELDS || strspn(group->types, "sSnN") != strlen(group->types))
        PyErr_SetString(PyExc_ValueError, "types are s, S, n and N, 255 at most");
    else if (group->counts.len % sizeof(uint32_t) || group->kept.len % sizeof(uint32_t) ||
             (group->crcs.buf && group->crcs.len != group->counts.len))
        PyErr_SetString(PyExc_ValueError, "numbers of 32 bits: a count for each block, and as many CRCs or None");
    return !PyErr_Occurred();
}

static void free_group(Group *group)
{
    Py_XDECREF(group->path);
    Py_buffer *buffers[] = {&group->stored, &group->sync, &group->counts, &group->crcs, &group->kept};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        PyBuffer_Release(buffers[i]);
    PyMem_RawFree(group->data);
    PyMem_RawFree(group->values);
}

static PyObject *to_records(Group *group, PyObject *fields)
{
    if (!group->good)
        Py_RETURN_NONE;
    Records *made = PyObject_New(Records, records_type);
    if (!made)
        return NULL;
    made->fields = Py_NewRef(fields);
    made->data = group->data;
    made->values = group->values;
    made->records = (Py_ssize_t)group->records;
    group->data = NULL;
    group->values = NULL;
    return (PyObject *)made;
}

static PyObject *native_open(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *given, *fields, *places, *found = NULL;
    Wanted wanted;
    if (!PyArg_ParseTuple(arguments, "O!O!S:open_groups", &PyTuple_Type, &given, &PyTuple_Type, &fields, &places) ||
        !to_wanted(fields, places, &wanted))
        return NULL;
    Py_ssize_t number = PyTuple_GET_SIZE(given), ready = 0;
    Group *groups = PyMem_RawCalloc(number ? (size_t)number : 1, sizeof(Group));
    Inflater *inflater = inflater_new();
    if (!groups || !inflater) {
        PyErr_NoMemory();
        goto done;
    }
    while (ready < number && to_group(PyTuple_GET_ITEM(given, ready), &groups[ready]))
        ready++;
    if (ready < number)
        goto done;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < number; i++)
        groups[i].good = open_group(&groups[i], inflater, &wanted);
    Py_END_ALLOW_THREADS
    found = PyList_New(number);
    for (Py_ssize_t i = 0; found && i < number; i++) {
        PyObject *records = to_records(&groups[i], fields);
        if (records)
            PyList_SET_ITEM(found, i, records);
        else
            Py_CLEAR(found);
    }
done:
    for (Py_ssize_t i = 0; groups && i < number; i++)
        free_group(&groups[i]);
    PyMem_RawFree(groups);
    if (inflater)
        inflater_free(inflater);
    return found;
}

static PyMethodDef methods[] = {
    {"open_groups", native_open, METH_VARARGS,
     "open_groups(groups, fields, places) -> a list with the Records of each group, or None for one that is not as it\n"
     "should be.\n\n"
     "A group is (path of a file or stored bytes, where in it it starts, its bytes, sync marker, types of a record's\n"
     "fields, count of records of each block, CRC-32 of each block's data or None, numbers of the wanted records or\n"
     "None for all); types are s for a string and n for a number, S and N where it may be null; counts, CRCs and\n"
     "numbers are arrays of 32 bits. `places` has, of each wanted field, which of a record's it is; fields that a\n"
     "record lacks are None. Raises ValueError for what is none of this."},
    {NULL, NULL, 0, NULL},
};

/* libdeflate's functions, out of the shared library of the package `deflate`. */
static bool connect(void)
{
    PyObject *package = PyImport_ImportModule("deflate._deflate");
    PyObject *file = package ? PyObject_GetAttrString(package, "__file__") : NULL, *path = NULL;
    if (file && PyUnicode_FSConverter(file, &path)) {
        void *library = dlopen(PyBytes_AS_STRING(path), RTLD_NOW);
        if (library) {
            *(void **)&inflater_new = dlsym(library, "libdeflate_alloc_decompressor");
            *(void **)&inflater_free = dlsym(library, "libdeflate_free_decompressor");
            *(void **)&inflate = dlsym(library, "libdeflate_deflate_decompress");
            *(void **)&crc32 = dlsym(library, "libdeflate_crc32");
        }
        if (!inflater_new || !inflater_free || !inflate || !crc32)
            PyErr_SetString(PyExc_ImportError, "the package `deflate` does not show libdeflate's functions");
    }
    Py_XDECREF(path);
    Py_XDECREF(file);
    Py_XDECREF(package);
    return !PyErr_Occurred();
}

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_native", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void)
{
    if (!connect())
        return NULL;
    records_type = (PyTypeObject *)PyType_FromSpec(&records_spec);
    return records_type ? PyModule_Create(&definition) : NULL;
}
