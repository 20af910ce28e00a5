/*
 * The ceiling of SyncML: the time that libwbxml takes to convert a document from XML to WBXML and back.
 *
 * libwbxml CALLS DOCUMENT.xml
 *
 * Prints the nanoseconds of one conversion to WBXML and of one back, then the octets of the WBXML.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <wbxml/wbxml.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void check(WBXMLError error, const char *what)
{
    if (error != WBXML_OK) {
        fprintf(stderr, "%s: %s\n", what, (const char *)wbxml_errors_string(error));
        exit(EXIT_FAILURE);
    }
}

static void to_wbxml(WB_UTINY *xml, WB_ULONG length, WB_UTINY **out, WB_ULONG *out_length)
{
    WBXMLConvXML2WBXML *converter = NULL;
    check(wbxml_conv_xml2wbxml_create(&converter), "create");
    wbxml_conv_xml2wbxml_set_version(converter, WBXML_VERSION_12);
    wbxml_conv_xml2wbxml_disable_string_table(converter);
    check(wbxml_conv_xml2wbxml_run(converter, xml, length, out, out_length), "xml2wbxml");
    wbxml_conv_xml2wbxml_destroy(converter);
}

static void to_xml(WB_UTINY *wbxml, WB_ULONG length, WB_UTINY **out, WB_ULONG *out_length)
{
    WBXMLConvWBXML2XML *converter = NULL;
    check(wbxml_conv_wbxml2xml_create(&converter), "create");
    wbxml_conv_wbxml2xml_set_gen_type(converter, WBXML_GEN_XML_COMPACT);
    check(wbxml_conv_wbxml2xml_run(converter, wbxml, length, out, out_length), "wbxml2xml");
    wbxml_conv_wbxml2xml_destroy(converter);
}

static WB_UTINY *read_all(const char *path, WB_ULONG *length)
{
    static WB_UTINY octets[1 << 20];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    *length = (WB_ULONG)fread(octets, 1, sizeof octets, file);
    fclose(file);
    return octets;
}

int main(int count, char **arguments)
{
    if (count != 3) {
        fprintf(stderr, "usage: libwbxml CALLS DOCUMENT.xml\n");
        return EXIT_FAILURE;
    }
    const long calls = strtol(arguments[1], NULL, 10);
    WB_ULONG xml_length, wbxml_length, back_length;
    WB_UTINY *xml = read_all(arguments[2], &xml_length), *wbxml, *back;

    double started = now();
    for (long call = 0; call < calls; call++) {
        to_wbxml(xml, xml_length, &wbxml, &wbxml_length);
        free(wbxml);
    }
    const double forth = (now() - started) / (double)calls;

    to_wbxml(xml, xml_length, &wbxml, &wbxml_length);
    started = now();
    for (long call = 0; call < calls; call++) {
        to_xml(wbxml, wbxml_length, &back, &back_length);
        free(back);
    }
    const double back_again = (now() - started) / (double)calls;
    printf("%.0f %.0f %u\n", forth, back_again, (unsigned)wbxml_length);
    free(wbxml);
    return EXIT_SUCCESS;
}
